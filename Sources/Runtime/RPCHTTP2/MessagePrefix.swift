import Compression
import HTTP2
import RPC

/// A message as it leaves: perhaps compressed.
struct WireMessage {
    let bytes: [UInt8]
    let isCompressed: Bool

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isCompressed = false
    }

    /// Of a call with an algorithm: compressed when the policy and the sender's wish say so.
    init(
        _ message: [UInt8], _ algorithm: CompressionAlgorithm, _ policy: CompressionPolicy,
        _ wish: Bool?
    ) {
        let small = policy.compress(message, algorithm, wish)
        bytes = small ?? message
        isCompressed = small != nil
    }
}

extension HTTP2Stream {
    /// Appends one message behind gRPC's prefix: a byte for "not compressed" and four for the
    /// length, big endian. False: wait for `didDrainBody`.
    @inline(__always)
    func write(framed message: UnsafeRawBufferPointer) -> Bool {
        let length = UInt64(UInt32(truncatingIfNeeded: message.count).byteSwapped)
        return write(prefix: length << 8, count: 5, message)
    }

    @inline(__always)
    func write(framed message: [UInt8]) -> Bool {
        message.withUnsafeBytes { write(framed: $0) }
    }

    @inline(__always)
    func write(framed message: WireMessage) -> Bool {
        let length = UInt64(UInt32(truncatingIfNeeded: message.bytes.count).byteSwapped)
        let prefix = length << 8 | (message.isCompressed ? 1 : 0)
        return message.bytes.withUnsafeBytes { write(prefix: prefix, count: 5, $0) }
    }
}
