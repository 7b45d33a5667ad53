import CUV

/// The bytes of one queued write; keeps them and itself until libuv is done with them.
final class WriteRequest {
    let count: Int
    private let socket: StreamSocket
    private let memory: UnsafeMutableRawBufferPointer
    private let raw = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)

    init(socket: StreamSocket, chunks: [[UInt8]], skipping: Int) {
        self.socket = socket
        count = chunks.reduce(0) { $0 + $1.count } - skipping
        memory = .allocate(byteCount: max(count, 1), alignment: 1)
        var offset = 0
        var skip = skipping
        for chunk in chunks {
            chunk.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[min(skip, bytes.count)...])
                skip -= bytes.count - rest.count
                UnsafeMutableRawBufferPointer(rebasing: memory[offset...]).copyMemory(from: rest)
                offset += rest.count
            }
        }
        raw.initialize(to: uv_write_t())
    }

    deinit {
        memory.deallocate()
        raw.deallocate()
    }

    func start(on stream: UnsafeMutablePointer<uv_stream_t>) -> Int32 {
        // Balanced in the callback, which libuv makes exactly once for each accepted request.
        raw.pointee.data = Unmanaged.passRetained(self).toOpaque()
        var buffer = uv_buf_t(
            base: memory.baseAddress?.assumingMemoryBound(to: CChar.self), len: count)
        let code = uv_write(raw, stream, &buffer, 1) { request, status in
            guard let data = request?.pointee.data else { return }
            let me = Unmanaged<WriteRequest>.fromOpaque(data).takeRetainedValue()
            me.socket.didWrite(me.count, status: status)
        }
        if code < 0 { Unmanaged.passUnretained(self).release() }
        return code
    }
}
