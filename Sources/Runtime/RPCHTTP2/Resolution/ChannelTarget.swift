import Loop
import RPC

/// Where a channel goes, by gRPC's naming.md: `host:port`, `[v6]:port`, `dns:host:port`,
/// `ipv4:1.2.3.4:80,1.2.3.5:80`, `ipv6:[::1]:80,[::2]:80`, `unix:path`, `unix:///path`; besides
/// `http://host:port` and `https://host:port`. A port is always required.
enum ChannelTarget: Sendable {
    case host(String, UInt16)
    /// Numeric addresses or UNIX paths: nothing to look up.
    case addresses([SocketAddress])

    /// - Parameter isSecure: the channel speaks TLS; a target that says otherwise is refused.
    init(_ text: String, isSecure: Bool) throws {
        try ChannelTarget.check(text, isSecure: isSecure)
        if let path = ChannelTarget.after("unix:", text) {
            let name = path.hasPrefix("//") ? path.dropFirst(2) : path
            guard !name.isEmpty else { throw ChannelTarget.refuse(text, "the path is empty") }
            self = .addresses([.unix(path: String(name))])
        } else if let list = ChannelTarget.after("ipv4:", text) {
            self = .addresses(
                try ChannelTarget.list(list, text) { if case .ipv4 = $0 { true } else { false } })
        } else if let list = ChannelTarget.after("ipv6:", text) {
            self = .addresses(
                try ChannelTarget.list(list, text) { if case .ipv6 = $0 { true } else { false } })
        } else {
            self = try ChannelTarget.name(text)
        }
    }

    /// Nobody shall speak plaintext, or TLS, who has asked for the other.
    private static func check(_ text: String, isSecure: Bool) throws {
        if text.hasPrefix("https://"), !isSecure {
            throw refuse(text, "it asks for TLS, and ChannelConfiguration.tls is not set")
        }
        if text.hasPrefix("http://"), isSecure {
            throw refuse(text, "it asks for plaintext, and ChannelConfiguration.tls is set")
        }
    }

    private static func name(_ text: String) throws -> ChannelTarget {
        var rest = text[...]
        for scheme in ["dns:///", "dns:", "http://", "https://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            break
        }
        guard !rest.hasPrefix("//") else {
            throw refuse(text, "a DNS server in the target is not supported: dns:///host:port")
        }
        guard let (host, port) = hostAndPort(rest) else {
            throw refuse(text, "host:port or unix:path is expected")
        }
        if let address = SocketAddress(host: host, port: port) { return .addresses([address]) }
        return .host(host, port)
    }

    private static func after(_ scheme: String, _ text: String) -> Substring? {
        text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : nil
    }

    private static func list(
        _ text: Substring, _ whole: String, _ isOfFamily: (SocketAddress) -> Bool
    ) throws -> [SocketAddress] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let (host, port) = hostAndPort(part),
                let address = SocketAddress(host: host, port: port), isOfFamily(address)
            else { throw refuse(whole, "\"\(part)\" is no numeric address:port of that family") }
            return address
        }
    }

    private static func hostAndPort(_ text: Substring) -> (String, UInt16)? {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (String(host), port)
    }

    private static func refuse(_ text: String, _ why: String) -> RPCError {
        RPCError(.invalidArgument, "\(text) is no target: \(why)", blame: .caller)
    }

    /// What goes into `:authority`; of a UNIX socket "localhost", as in gRPC's C core.
    var authority: String {
        switch self {
        case .host(let host, let port): return "\(host):\(port)"
        case .addresses(let addresses):
            if case .unix? = addresses.first { return "localhost" }
            return addresses.first.map { "\($0)" } ?? "localhost"
        }
    }

    func resolver(_ configuration: ChannelConfiguration) -> any NameResolver {
        switch self {
        case .addresses(let addresses): FixedResolver(addresses)
        case .host(let host, let port):
            DNSResolver(
                host: host, port: port, minimumInterval: configuration.resolutionInterval,
                backoff: Backoff(configuration))
        }
    }
}
