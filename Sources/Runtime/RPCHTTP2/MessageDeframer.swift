/// Splits a body into gRPC's length-prefixed messages: 1 byte compressed flag, 4 bytes length
/// (big endian), the message. Messages may span DATA frames, and a frame hold several.
struct MessageDeframer {
    enum Problem {
        /// The first byte of a prefix is neither 0 nor 1.
        case badFlag(UInt8)
        case tooLarge(Int)
    }

    private var head: UInt64 = 0
    private var headCount = 0
    private var length = 0
    private var isCompressed = false
    private var message: [UInt8] = []

    /// Bytes of an incomplete message that are kept.
    var bufferedBytes: Int { message.count + headCount }
    var isBetweenMessages: Bool { headCount == 0 }

    /// Takes bytes; calls `deliver` for each whole message, with its compressed flag.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> Problem? {
        var offset = 0
        while offset < bytes.count {
            if headCount < 5 {
                head = head << 8 | UInt64(bytes[offset])
                headCount += 1
                offset += 1
                guard headCount == 5 else { continue }
                if head >> 33 != 0 { return .badFlag(UInt8(truncatingIfNeeded: head >> 32)) }
                isCompressed = head >> 32 != 0
                length = Int(head & 0xffff_ffff)
                if length > limit { return .tooLarge(length) }
                if length > 0 { continue }
            }
            let taken = min(length - message.count, bytes.count - offset)
            let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + taken])
            offset += taken
            if message.isEmpty, taken == length {
                let isCompressed = isCompressed
                reset()
                deliver([UInt8](part), isCompressed)
            } else {
                if message.isEmpty { message.reserveCapacity(min(length, 64 << 10)) }
                message.append(contentsOf: part)
                guard message.count == length else { continue }
                let (whole, isCompressed) = (message, isCompressed)
                reset()
                deliver(whole, isCompressed)
            }
        }
        return nil
    }

    mutating func reset() {
        head = 0
        headCount = 0
        length = 0
        isCompressed = false
        if !message.isEmpty { message = [] }
    }
}
