import HTTP2

extension HTTP2Stream {
    /// Appends one message behind gRPC's prefix: a byte for "not compressed" and four for the
    /// length, big endian. False: wait for `didDrainBody`.
    @inline(__always)
    func write(framed message: [UInt8]) -> Bool {
        let length = UInt64(UInt32(truncatingIfNeeded: message.count).byteSwapped)
        return message.withUnsafeBytes { write(prefix: length << 8, count: 5, $0) }
    }
}
