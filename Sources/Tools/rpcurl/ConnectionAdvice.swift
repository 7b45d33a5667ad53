import Environment
import RPC

/// What to do when there was no conversation at all.
enum ConnectionAdvice {
    /// Nil when the error is a status of a server that was reached.
    static func failure(_ error: RPCError, _ session: Session) -> Failure? {
        guard let failure = error.connectionFailure, let address = session.address?.text,
            failure != .lost || !session.wasReached
        else { return nil }
        return Failure(
            sentence(
                failure, withoutTarget(error.cause ?? error.message), address, session.settings))
    }

    /// The cause ends with ", for host:port", which the sentences begin with.
    private static func withoutTarget(_ cause: String) -> String {
        let words = cause.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count > 2, words[words.count - 2] == "for", words[words.count - 3].last == ","
        else { return cause }
        return String(words.dropLast(2).joined(separator: " ").dropLast())
    }

    /// - Parameter cause: what happened, in the system's or OpenSSL's words.
    static func sentence(
        _ failure: ConnectionFailure, _ cause: String, _ address: String, _ settings: Settings
    ) -> String {
        switch failure {
        case .resolution: "the host name of \(address) cannot be resolved: \(cause)"
        case .connect: connect(cause, address, settings)
        case .tls: tls(cause, address)
        case .http2 where cause.hasPrefix("TLS: "), .lost where cause.hasPrefix("TLS: "):
            tls(cause, address)
        case .http2 where cause.contains("server speaks TLS on this port"),
            .lost where cause.contains("server speaks TLS on this port"):
            "\(address) speaks TLS; add -tls, -cacert FILE or -insecure"
        case .http2, .lost:
            "\(address) accepted the connection and ended it without an answer (\(cause)); is it "
                + "an HTTP/1 port? rpcurl speaks HTTP/2, and TLS by -tls or https://"
        }
    }

    private static func tls(_ cause: String, _ address: String) -> String {
        func has(_ names: String...) -> Bool { names.contains { cause.contains($0) } }
        if has("not TLS") { return "\(address): \(cause); without TLS flags it is plaintext" }
        if has("certificate is refused") {
            return "\(address): \(cause); -cacert FILE trusts another authority, -servername NAME "
                + "expects another name, -insecure checks nothing"
        }
        if has("wants a certificate") {
            return "\(address): \(cause); -cert FILE and -key FILE show one"
        }
        return "\(address): \(cause)"
    }

    private static func connect(
        _ cause: String, _ address: String, _ settings: Settings
    ) -> String {
        func has(_ names: String...) -> Bool { names.contains { cause.contains($0) } }
        if has("ECONNREFUSED") {
            return "nothing listens at \(address); is the server running, and is the port right?"
        }
        if has("ENOENT"), address.hasPrefix("unix:") {
            return "there is no socket \(address); is the server running?"
        }
        if has("ETIMEDOUT", "ECANCELED") {
            let seconds = settings.connectTimeout.secondsValue
            return "no answer from \(address) within \(seconds) s; is a firewall in between? "
                + "-connect-timeout SECONDS waits longer"
        }
        if has("ENETUNREACH", "EHOSTUNREACH") { return "\(address) cannot be reached: \(cause)" }
        if has("EACCES", "EPERM") { return "no permission to connect to \(address): \(cause)" }
        return "no connection to \(address): \(cause)"
    }
}
