public import Compression
public import Environment

/// What a client says about one call besides its metadata.
public struct CallOptions: Sendable {
    /// When the call is over at the latest. Without one, a call made inside a handler has the
    /// handler's deadline (`inheritsDeadline`).
    public var deadline: Deadline?
    /// Wait for a connection instead of failing with UNAVAILABLE when there is none. Nil: what the
    /// channel's service config says, else no.
    public var waitForReady: Bool?
    /// The largest response message that is accepted; the channel's limit when nil.
    public var maxResponseBytes: Int?
    /// Whether a call made inside a handler ends at the handler's deadline at the latest.
    public var inheritsDeadline: Bool
    /// For the requests; the channel's when nil. The server may answer with it too.
    public var compression: CompressionAlgorithm?
    /// What the interceptors of this one call want to see.
    package var hooks: CallHooks?

    public init(
        deadline: Deadline? = nil, waitForReady: Bool? = nil, maxResponseBytes: Int? = nil,
        inheritsDeadline: Bool = true, compression: CompressionAlgorithm? = nil
    ) {
        self.deadline = deadline
        self.waitForReady = waitForReady
        self.maxResponseBytes = maxResponseBytes
        self.inheritsDeadline = inheritsDeadline
        self.compression = compression
    }

    /// A deadline that much after now.
    public static func timeout(_ duration: Duration) -> CallOptions {
        CallOptions(deadline: .after(duration))
    }

    /// The earlier of the own deadline and the deadline of the handler that is calling.
    package var effectiveDeadline: Deadline? {
        guard inheritsDeadline, let outer = ServerContext.current?.deadline else { return deadline }
        guard let deadline else { return outer }
        return min(deadline, outer)
    }
}
