import Crypto
public import Environment

extension UUID {
    /// A UUID (version 8, RFC 9562 §5.8) that follows from a name: the same everywhere and always.
    public static func named(_ name: String) -> UUID {
        let hash = SHA256.hash(Array(name.utf8))
        let high = hash[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let low = hash[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return UUID(
            bytes: (high & ~0xF000 | 0x8000, low & ~(UInt64(3) << 62) | UInt64(1) << 63))
    }
}
