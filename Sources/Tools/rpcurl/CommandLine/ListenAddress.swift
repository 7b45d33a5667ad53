import Loop

/// Where `tap` listens.
struct ListenAddress: Sendable, Hashable {
    let address: SocketAddress

    /// `8080`, `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`. Without a host 127.0.0.1:
    /// what passes is not for everybody.
    /// - Throws: `Failure` with the form that was expected.
    init(_ text: String) throws(Failure) {
        if text.hasPrefix("unix:") {
            var path = text.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard !path.isEmpty else { throw .usage("\(text) names no path: unix:/run/tap.sock") }
            address = .unix(path: String(path))
            return
        }
        let split = text.lastIndex(of: ":")
        var host = split.map { text[..<$0] } ?? ""
        let port = split.map { text[text.index(after: $0)...] } ?? text[...]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let name = host.isEmpty ? "127.0.0.1" : host == "localhost" ? "127.0.0.1" : String(host)
        guard let number = UInt16(port), let found = SocketAddress(host: name, port: number) else {
            throw .usage(
                "cannot listen on \"\(text)\": expected a port, IP:port or unix:/path, such as :9000"
            )
        }
        address = found
    }
}
