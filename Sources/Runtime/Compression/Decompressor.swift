import CZlib

/// Owns one `z_stream` that inflates; used again for message after message, by one thread at a
/// time (`StreamPool`).
final class Decompressor: @unchecked Sendable {  // one owner at a time
    static let gzip = StreamPool<Decompressor>()
    static let deflate = StreamPool<Decompressor>()

    /// Inflated at a time: what is held beyond the limit at most.
    private static let chunkBytes = 32 << 10

    /// zlib keeps a pointer to it: it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let chunk = UnsafeMutablePointer<UInt8>.allocate(capacity: chunkBytes)

    init(_ algorithm: CompressionAlgorithm) throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = inflateInit2_(
            stream, algorithm.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            throw CompressionError(.outOfMemory, "no decompressor", cause: "inflateInit2 \(code)")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        chunk.deallocate()
    }

    func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        inflateReset(stream)
        var out: [UInt8] = []
        var failure: CompressionError?
        bytes.withUnsafeBufferPointer { input in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            failure = inflateAll(into: &out, limit: limit)
        }
        if let failure { throw failure }
        return out
    }

    private func inflateAll(into out: inout [UInt8], limit: Int) -> CompressionError? {
        while true {
            stream.pointee.next_out = chunk
            stream.pointee.avail_out = UInt32(Decompressor.chunkBytes)
            let code = inflate(stream, Z_NO_FLUSH)
            let produced = Decompressor.chunkBytes - Int(stream.pointee.avail_out)
            guard produced <= limit - out.count else { return .tooLarge(limit: limit) }
            out.append(contentsOf: UnsafeBufferPointer(start: chunk, count: produced))
            switch code {
            case Z_STREAM_END:
                guard stream.pointee.avail_in == 0 else {
                    return CompressionError(
                        .trailingBytes,
                        "\(stream.pointee.avail_in) bytes follow the compressed stream")
                }
                return nil
            case Z_OK, Z_BUF_ERROR:
                // Room in the output and nothing left to read: the stream has no end.
                if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 {
                    return CompressionError(.truncated, "the compressed stream has no end")
                }
            case Z_MEM_ERROR:
                return CompressionError(.outOfMemory, "inflating failed", cause: "inflate \(code)")
            default:
                let why = stream.pointee.msg.map { String(cString: $0) } ?? "inflate \(code)"
                return CompressionError(.corrupt, "it is not compressed as promised", cause: why)
            }
        }
    }
}
