import Environment
import RPC

/// What to do when there was no conversation at all.
enum ConnectionAdvice {
    /// Nil when the error is a status of a server that was reached.
    static func failure(_ error: RPCError, _ session: Session) -> Failure? {
        guard let failure = error.connectionFailure, let address = session.address?.text,
            failure != .lost || !session.wasReached
        else { return nil }
        let cause = error.cause ?? error.message
        return Failure(sentence(cause, address, session.settings))
    }

    static func sentence(_ cause: String, _ address: String, _ settings: Settings) -> String {
        func has(_ names: String...) -> Bool { names.contains { cause.contains($0) } }
        if has("ECONNREFUSED") {
            return "nothing listens at \(address); is the server running, and is the port right?"
        }
        if has("ENOENT"), address.hasPrefix("unix:") {
            return "there is no socket \(address); is the server running?"
        }
        if has("EAI_", "ENOTFOUND") {
            return "the host name of \(address) cannot be resolved: \(cause)"
        }
        if has("ETIMEDOUT", "ECANCELED") {
            let seconds = settings.connectTimeout.secondsValue
            return "no answer from \(address) within \(seconds) s; is a firewall in between? "
                + "-connect-timeout SECONDS waits longer"
        }
        if has("ENETUNREACH", "EHOSTUNREACH") { return "\(address) cannot be reached: \(cause)" }
        if has("EACCES", "EPERM") { return "no permission to connect to \(address): \(cause)" }
        return
            "\(address) accepted the connection and ended it without an answer (\(cause)); is it "
            + "a TLS or HTTP/1 port? rpcurl speaks plaintext HTTP/2"
    }
}
