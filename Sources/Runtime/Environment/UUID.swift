/// An RFC 9562 identifier: 16 bytes, compared in byte order.
public struct UUID: Sendable, Hashable, Comparable {
    /// The sixteen bytes as two big-endian halves: the text's left half first.
    public let bytes: (UInt64, UInt64)

    public init(bytes: (UInt64, UInt64)) {
        self.bytes = bytes
    }

    /// Random, version 4 (RFC 9562 section 5.4).
    public static func random() -> UUID {
        let (high, low) = SystemRandom.words()
        return UUID(bytes: (high & ~0xF000 | 0x4000, low & ~variantMask | variant))
    }

    /// Version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits, so that new
    /// identifiers are close together in a B-tree index.
    public static func timeOrdered(_ now: Instant = .now()) -> UUID {
        let milliseconds = UInt64(max(now.microseconds / 1000, 0)) & 0xFFFF_FFFF_FFFF
        let (random, low) = SystemRandom.words()
        return UUID(
            bytes: (milliseconds << 16 | 0x7000 | random & 0x0FFF, low & ~variantMask | variant))
    }

    /// The version field, 4 for `random()` and 7 for `timeOrdered()`.
    public var version: Int { Int(bytes.0 >> 12 & 0xF) }

    public static func == (left: UUID, right: UUID) -> Bool {
        left.bytes == right.bytes
    }

    public static func < (left: UUID, right: UUID) -> Bool {
        left.bytes < right.bytes
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes.0)
        hasher.combine(bytes.1)
    }

    private static let variantMask: UInt64 = 0xC000_0000_0000_0000
    private static let variant: UInt64 = 0x8000_0000_0000_0000
}
