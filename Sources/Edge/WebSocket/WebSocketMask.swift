/// The masking of RFC 6455 §5.3: byte i is XORed with byte i mod 4 of the key.
struct WebSocketMask: Sendable {
    /// The four key bytes in wire order, as they lie in memory.
    let key: UInt32

    /// Masks or unmasks in place, eight bytes at a time.
    /// - Parameter position: how many bytes of the payload were masked before.
    func apply(to bytes: UnsafeMutableRawBufferPointer, position: Int) {
        let turn = UInt32(position & 3) * 8
        let little = UInt32(littleEndian: key)
        let rotated = turn == 0 ? little : little >> turn | little << (32 - turn)
        let wide = UInt64(rotated) << 32 | UInt64(rotated)
        var index = 0
        while index + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            bytes.storeBytes(
                of: (word ^ wide).littleEndian, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < bytes.count {
            bytes[index] ^= UInt8(truncatingIfNeeded: rotated >> (UInt32(index & 3) * 8))
            index += 1
        }
    }
}
