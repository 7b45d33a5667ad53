/// The limits of one connection. Sizes in bytes.
public struct HTTP2Configuration: Sendable {
    /// Streams that the peer may have open at once.
    public var maxConcurrentStreams: UInt32 = 1000
    public var initialStreamWindow: Int32 = 1 << 20
    public var connectionWindow: Int32 = 4 << 20
    /// The peer gets its connection window back at once while no more than this is unread, so that
    /// a few slow readers do not stop the other streams; beyond, only by `consume`.
    public var maxUnreadBytes = 32 << 20
    /// Of one header block, counted as SETTINGS_MAX_HEADER_LIST_SIZE is: name + value + 32 each.
    public var maxHeaderListBytes = 16 << 10
    public var maxHeaderFields = 128
    /// How much output is gathered before the socket gets it.
    public var maxOutputBytes = 256 << 10
    /// Streams that the peer may reset (rapid reset). gRPC clients cancel a lot: what bounds their
    /// work is the count of running handlers, this only ends what never stops.
    /// A client counts only those of streams that it does not know.
    public var resets = AbuseBudget(burst: 10_000, perSecond: 1_000)
    /// Streams that we may have to reset because of the peer (MadeYouReset).
    public var forcedResets = AbuseBudget(burst: 500, perSecond: 50)
    /// Streams that we may have to refuse (REFUSED_STREAM), which clients repeat.
    public var refusedStreams = AbuseBudget(burst: 10_000, perSecond: 1_000)
    /// PING frames beyond one for each HEADERS or DATA frame that we sent: peers measure the
    /// bandwidth with a ping per round trip while data comes (grpc-go does by default).
    public var pings = AbuseBudget(burst: 200, perSecond: 20)
    public var settings = AbuseBudget(burst: 32, perSecond: 1)
    /// DATA without bytes, and informational (1xx) responses.
    public var emptyFrames = AbuseBudget(burst: 200, perSecond: 50)
    /// WINDOW_UPDATE frames beyond two for each DATA frame that we sent.
    public var windowUpdates = AbuseBudget(burst: 2_000, perSecond: 200)
    /// CONTINUATION frames of one header block, where the library can limit them: at least so many
    /// are taken, and nine times as many when each arrives in one piece.
    public var maxContinuations = 8

    public init() {}
}
