/// Where the server is.
struct Address: Sendable, Hashable {
    /// As `HTTP2Channel` takes it: `host:port`, `[v6]:port` or `unix:path`.
    let target: String
    /// As it was given, for messages.
    let text: String
    /// `https://`.
    let isSecure: Bool

    /// Whether an argument can only be an address: symbols and methods have no colon.
    static func isLikely(_ argument: String) -> Bool { argument.contains(":") }

    /// `host:port`, `unix:/path`, `http://host[:port]`, `https://host[:port]`.
    /// - Parameter isPath: the text is the path of a UNIX socket (`-unix`).
    /// - Throws: `Failure` with the form that was expected.
    init(_ text: String, isPath: Bool = false) throws(Failure) {
        let text = isPath && !text.hasPrefix("unix:") ? "unix:\(text)" : text
        self.text = text
        isSecure = text.hasPrefix("https://")
        if text.hasPrefix("unix:") {
            var path = text.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard !path.isEmpty else {
                throw .usage("\(text) names no path: unix:/run/server.sock")
            }
            target = "unix:\(path)"
            return
        }
        var rest = text[...]
        var defaultPort = ""
        for scheme in ["https://", "http://", "dns:///", "dns:"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            if scheme == "http://" { defaultPort = ":80" }
            if isSecure { defaultPort = ":443" }
            break
        }
        if !defaultPort.isEmpty, rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.isEmpty, !rest.contains("/") else {
            throw .usage(
                "\(text) is no address: expected host:port, http(s)://host:port or unix:/path")
        }
        let hasPort = rest.last != "]" && rest.contains(":")
        target = hasPort ? String(rest) : rest + defaultPort
        let port = target.split(separator: ":", omittingEmptySubsequences: false).last ?? ""
        guard hasPort || !defaultPort.isEmpty, let number = UInt16(port), number > 0 else {
            throw .usage("\(text) has no port: expected host:port, such as localhost:50051")
        }
    }
}
