/// What a peer may make us keep. The defaults are the ones of the edge (edge.md §5).
public struct HTTPLimits: Sendable, Hashable {
    /// Start line and fields together, also the trailer section on its own; bytes → 431.
    public var headBytes = 16 * 1024
    /// Number of header fields → 431.
    public var fields = 100
    /// Request target, bytes → 414.
    public var targetBytes = 8 * 1024
    /// Body after chunk decoding, bytes → 413.
    public var bodyBytes = 1024 * 1024
    /// All chunk extensions of one message together, bytes → 400.
    public var chunkExtensionBytes = 1024

    public init() {}

    public init(bodyBytes: Int) {
        self.bodyBytes = bodyBytes
    }
}
