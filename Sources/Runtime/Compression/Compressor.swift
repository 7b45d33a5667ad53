import CZlib

/// Owns one `z_stream` that deflates; used again for message after message, by one thread at a
/// time (`StreamPool`).
final class Compressor: @unchecked Sendable {  // one owner at a time
    static let gzip = StreamPool<Compressor>()
    static let deflate = StreamPool<Compressor>()

    /// zlib keeps a pointer to it: it must not move.
    private let stream: UnsafeMutablePointer<z_stream>

    init(_ algorithm: CompressionAlgorithm) throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, algorithm.windowBits, 8,
            Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            throw CompressionError(.outOfMemory, "no compressor", cause: "deflateInit2 \(code)")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func compress(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
        deflateReset(stream)
        let bound = Int(deflateBound(stream, UInt(bytes.count)))
        var code = Z_OK
        let out = bytes.withUnsafeBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: bound) { output, count in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                code = CZlib.deflate(stream, Z_FINISH)
                count = output.count - Int(stream.pointee.avail_out)
            }
        }
        guard code == Z_STREAM_END else {
            throw CompressionError(.outOfMemory, "compressing failed", cause: "deflate \(code)")
        }
        return out
    }
}
