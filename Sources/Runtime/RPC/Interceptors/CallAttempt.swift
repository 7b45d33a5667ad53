/// What an interceptor hears of the attempts of a call: one, unless the channel's policy retries or
/// hedges it, or the server refused it unseen.
public enum CallAttempt: Sendable {
    case began
    case ended(AttemptOutcome)
}

/// How one attempt ended. Of hedges that lost the code is CANCELLED.
public struct AttemptOutcome: Sendable {
    /// Nil is OK.
    public let error: RPCError?
    /// With the time it waited for a connection.
    public let duration: Duration
    /// Of messages as on the wire, without gRPC's five bytes for each.
    public let sentBytes: Int
    public let receivedBytes: Int

    package init(error: RPCError?, duration: Duration, sentBytes: Int, receivedBytes: Int) {
        self.error = error
        self.duration = duration
        self.sentBytes = sentBytes
        self.receivedBytes = receivedBytes
    }

    public var code: RPCError.Code { error?.code ?? .ok }
}
