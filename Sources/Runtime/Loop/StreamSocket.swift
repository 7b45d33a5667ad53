import CUV
import Glibc

/// A connected TCP or UNIX stream socket, confined to its loop.
///
/// Writing tries the kernel at once and queues only what it did not take, without limit: the
/// owner watches ``queuedBytes`` and stops producing (back-pressure is a protocol's business).
public final class StreamSocket: @unchecked Sendable {  // confined to `loop`, asserted
    public let loop: EventLoop
    /// The other end's address.
    public private(set) var peer: SocketAddress
    /// Bytes accepted by ``write(_:)-(UnsafeRawBufferPointer)`` that the kernel has not taken yet.
    public private(set) var queuedBytes = 0

    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private var handler: (any StreamSocketHandler)?
    private var reading = false
    private var closeError: (any Error)?
    /// What a write failed with, while the peer's last words are read.
    private var writeError: LoopError?
    private var lastWordsTimer: LoopTimer?
    /// For what has arrived before the connection broke: it is in the kernel already.
    static let lastWordsTime = Duration.seconds(1)

    public var isOpen: Bool { stream != nil }

    init(loop: EventLoop, stream: UnsafeMutablePointer<uv_stream_t>, peer: SocketAddress) {
        self.loop = loop
        self.stream = stream
        self.peer = peer
        // Balanced in the close callback: an open socket keeps itself alive.
        stream.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> StreamSocket? {
        data.map { Unmanaged<StreamSocket>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Sets who is told; kept strongly until the socket has closed.
    public func setHandler(_ handler: any StreamSocketHandler) { self.handler = handler }

    // MARK: Reading

    public func startReading() {
        loop.preconditionInLoop()
        guard let stream, !reading else { return }
        reading = true
        uv_read_start(
            stream,
            { handle, _, buffer in
                guard let socket = StreamSocket.of(handle?.pointee.data) else { return }
                let shared = socket.loop.readBuffer
                buffer?.pointee = uv_buf_init(
                    shared.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(shared.count))
            },
            { handle, count, buffer in
                guard let socket = StreamSocket.of(handle?.pointee.data) else { return }
                socket.didRead(count, buffer?.pointee.base)
            })
    }

    public func stopReading() {
        guard let stream, reading else { return }
        reading = false
        uv_read_stop(stream)
    }

    private func didRead(_ count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        if count > 0 {
            handler?.socketDidRead(UnsafeRawBufferPointer(start: base, count: count))
        } else if let writeError, count < 0 {
            close(writeError)
        } else if count == Int(UV_EOF.rawValue) {
            stopReading()
            handler?.socketDidEnd()
        } else if count < 0 {
            close(LoopError(code: Int32(count), operation: "read from \(peer)"))
        }
    }

    // MARK: Writing

    /// Writes bytes that belong to the caller; what the kernel does not take at once is copied.
    public func write(_ bytes: UnsafeRawBufferPointer) {
        let written = tryWrite(bytes)
        guard written < bytes.count else { return }
        queue([[UInt8](UnsafeRawBufferPointer(rebasing: bytes[written...]))], skipping: 0)
    }

    /// Writes an array; what the kernel does not take at once is kept, not copied.
    public func write(_ bytes: [UInt8]) {
        let written = bytes.withUnsafeBytes { tryWrite($0) }
        guard written < bytes.count else { return }
        queue([bytes], skipping: written)
    }

    /// Writes several arrays with one system call.
    public func write(_ chunks: [[UInt8]]) {
        guard chunks.count > 1 else {
            if let only = chunks.first { write(only) }
            return
        }
        queue(chunks, skipping: 0)
    }

    private func tryWrite(_ bytes: UnsafeRawBufferPointer) -> Int {
        loop.preconditionInLoop()
        guard let stream, writeError == nil else { return bytes.count }
        guard queuedBytes == 0, !bytes.isEmpty else { return 0 }
        var buffer = uv_buf_t(
            base: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
                .assumingMemoryBound(to: CChar.self), len: bytes.count)
        let written = uv_try_write(stream, &buffer, 1)
        if written >= 0 { return Int(written) }
        if written == UV_EAGAIN.rawValue { return 0 }
        writeFailed(written)
        return bytes.count
    }

    private func queue(_ chunks: [[UInt8]], skipping: Int) {
        guard let stream, writeError == nil else { return }
        let request = WriteRequest(socket: self, chunks: chunks, skipping: skipping)
        queuedBytes += request.count
        let code = request.start(on: stream)
        if code < 0 {
            queuedBytes -= request.count
            writeFailed(code)
        }
    }

    func didWrite(_ count: Int, status: Int32) {
        queuedBytes -= count
        guard stream != nil else { return }
        if status < 0 {
            writeFailed(status)
        } else if queuedBytes == 0 {
            handler?.socketDidDrain()
        }
    }

    /// The peer has gone, and may have said why (a GOAWAY, a TLS alert): what it sent before is read
    /// before the socket closes.
    private func writeFailed(_ code: Int32) {
        guard writeError == nil else { return }
        let error = LoopError(code: code, operation: "write to \(peer)")
        guard reading else { return close(error) }
        writeError = error
        lastWordsTimer = loop.schedule(after: Self.lastWordsTime) { [weak self] in
            self?.close(error)
        }
    }

    // MARK: Ending

    /// Sends FIN once the queued bytes are out; reading goes on.
    public func shutdown() {
        guard let stream else { return }
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        request.initialize(to: uv_shutdown_t())
        let code = uv_shutdown(request, stream) { request, _ in request?.deallocate() }
        if code < 0 { request.deallocate() }
    }

    public func localAddress() -> SocketAddress? {
        stream.flatMap { Connection.localAddress($0, of: peer) }
    }

    public func unixCredentials() -> UnixCredentials? {
        guard let stream, case .unix = peer else { return nil }
        return UnixCredentials(stream)
    }

    /// Closes at once; `socketDidClose` follows on a later turn with this error.
    public func close(_ error: (any Error)?) {
        loop.preconditionInLoop()
        guard let stream else { return }
        self.stream = nil
        lastWordsTimer?.cancel()
        lastWordsTimer = nil
        closeError = error
        let handle = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
        guard uv_is_closing(handle) == 0 else { return }
        uv_close(handle) { handle in
            guard let handle, let data = handle.pointee.data else { return }
            let socket = Unmanaged<StreamSocket>.fromOpaque(data).takeRetainedValue()
            UnsafeMutableRawPointer(handle).deallocate()
            let handler = socket.handler
            socket.handler = nil
            handler?.socketDidClose(socket.closeError)
        }
    }
}
