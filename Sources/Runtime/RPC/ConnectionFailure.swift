/// Which step towards the server failed, for errors that are about the connection and not about
/// the call: nil in an `RPCError` that the server sent, or that one call earned.
public enum ConnectionFailure: Sendable, Hashable {
    /// The target's name has no addresses, or the resolver did not answer.
    case resolution
    /// No socket: refused, unreachable, no permission, timed out.
    case connect
    /// The socket was there, TLS was not: certificate, protocol, host name.
    case tls
    /// The peer accepted and did not speak HTTP/2 (no SETTINGS), or not in time.
    case http2
    /// A working connection broke while the call was on it: the server may have seen the call.
    case lost
}
