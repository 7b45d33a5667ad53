/// The owner of a session: what concerns the connection and not one stream. All calls come from
/// inside the session's methods, on the caller's thread.
public protocol HTTP2SessionHandler: AnyObject {
    /// Something is to be sent: call `flush` before this turn of the loop ends. Called once until
    /// then.
    func sessionWantsFlush(_ session: HTTP2Session)
    /// Server: the peer opened a stream. Nil refuses it (REFUSED_STREAM).
    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream?
    /// Server: REFUSED_STREAM goes out, for the stream limit or because the handler gave nil.
    func sessionDidRefuseStream(_ session: HTTP2Session)
    func sessionDidReceiveSettings(_ session: HTTP2Session)
    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String)
    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64)
    /// The peer pinged; the answer is on its way.
    func sessionDidReceivePing(_ session: HTTP2Session)
    /// A stream ended, after its `didClose`.
    func sessionDidCloseStream(_ session: HTTP2Session)
}

extension HTTP2SessionHandler {
    public func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? { nil }
    public func sessionDidRefuseStream(_ session: HTTP2Session) {}
    public func sessionDidReceiveSettings(_ session: HTTP2Session) {}
    public func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {}
    public func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {}
    public func sessionDidReceivePing(_ session: HTTP2Session) {}
    public func sessionDidCloseStream(_ session: HTTP2Session) {}
}
