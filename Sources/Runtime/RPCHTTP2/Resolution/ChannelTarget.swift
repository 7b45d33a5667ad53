import Loop
import RPC

/// `host:port`, `[v6]:port`, `dns:host:port` or `unix:path`.
enum ChannelTarget: Sendable {
    case host(String, UInt16)
    case unix(String)

    init(_ text: String) throws {
        if text.hasPrefix("unix:") {
            var path = text.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard !path.isEmpty else { throw ChannelTarget.refuse(text) }
            self = .unix(String(path))
            return
        }
        var rest = text[...]
        for scheme in ["dns:///", "dns:", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            break
        }
        guard let colon = rest.lastIndex(of: ":"),
            let port = UInt16(rest[rest.index(after: colon)...])
        else { throw ChannelTarget.refuse(text) }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw ChannelTarget.refuse(text) }
        self = .host(String(host), port)
    }

    private static func refuse(_ text: String) -> RPCError {
        RPCError(
            .invalidArgument, "\(text) is no target: host:port or unix:path", blame: .caller)
    }

    var authority: String {
        switch self {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix: "localhost"
        }
    }

    func addresses(on loop: EventLoop) async throws -> [SocketAddress] {
        switch self {
        case .unix(let path): return [.unix(path: path)]
        case .host(let host, let port):
            if let address = SocketAddress(host: host, port: port) { return [address] }
            return try await Resolver.resolve(host: host, port: port, on: loop)
        }
    }
}
