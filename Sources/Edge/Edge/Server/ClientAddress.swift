import Loop

/// The text under which a client is counted.
enum ClientAddress {
    static func text(_ peer: SocketAddress) -> String {
        switch peer {
        case .ipv4(let host, _), .ipv6(let host, _): host
        case .unix: "local"
        }
    }
}
