/// What one decoding may cost; everything beyond is an error, never a crash.
public struct DecodingLimits: Sendable, Hashable {
    /// Levels of nested messages; libprotobuf-c recurses once per level.
    public var depth: Int
    /// Field occurrences in the whole message; libprotobuf-c spends about 32 bytes on each.
    public var occurrences: Int
    /// Bytes of temporary memory that libprotobuf-c may take.
    public var memory: Int

    @inlinable
    public init(depth: Int = 100, occurrences: Int = 1 << 20, memory: Int = 64 << 20) {
        self.depth = depth
        self.occurrences = occurrences
        self.memory = memory
    }
}
