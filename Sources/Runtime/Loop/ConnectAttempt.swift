import CUV
import Environment

/// One connection being made; confined to its loop.
final class ConnectAttempt: @unchecked Sendable {  // every method runs on the loop
    private let address: SocketAddress
    private let loop: EventLoop
    private var continuation: CheckedContinuation<StreamSocket, any Error>?
    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private var timer: LoopTimer?
    private var failure: LoopError?

    init(_ address: SocketAddress, _ loop: EventLoop) {
        self.address = address
        self.loop = loop
    }

    func start(_ continuation: CheckedContinuation<StreamSocket, any Error>, timeout: Duration) {
        if let failure {
            continuation.resume(throwing: failure)
            return
        }
        self.continuation = continuation
        do {
            let stream = try Connection.newHandle(for: address, on: loop)
            self.stream = stream
            try connect(stream)
            timer = loop.schedule(after: timeout) { [self] in
                fail(.timedOut("connect \(address)"))
            }
        } catch {
            fail(
                error as? LoopError
                    ?? LoopError(code: UV_EINVAL.rawValue, operation: "connect \(address)"))
        }
    }

    private func connect(_ stream: UnsafeMutablePointer<uv_stream_t>) throws {
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        request.initialize(to: uv_connect_t())
        // Balanced in the callback, which libuv makes once, also when the handle is closed.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        if case .unix(let path) = address {
            let pipe = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_pipe_t.self)
            uv_pipe_connect(request, pipe, path, ConnectAttempt.connected)
            return
        }
        let tcp = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_tcp_t.self)
        let code = try address.withPointer {
            uv_tcp_connect(request, tcp, $0, ConnectAttempt.connected)
        }
        if code < 0 {
            request.deallocate()
            Unmanaged.passUnretained(self).release()
            throw LoopError(code: code, operation: "connect \(address)")
        }
    }

    private static let connected: uv_connect_cb = { request, status in
        guard let request, let data = request.pointee.data else { return }
        request.deallocate()
        Unmanaged<ConnectAttempt>.fromOpaque(data).takeRetainedValue().finish(status)
    }

    private func finish(_ status: Int32) {
        guard continuation != nil, let stream else { return }
        if status < 0 {
            fail(LoopError(code: status, operation: "connect \(address)"))
            return
        }
        timer?.cancel()
        self.stream = nil
        let peer = Connection.finishSetup(stream, listener: address)
        continuation?.resume(returning: StreamSocket(loop: loop, stream: stream, peer: peer))
        continuation = nil
    }

    func fail(_ error: LoopError) {
        failure = error
        timer?.cancel()
        if let stream { Handle.close(stream) }
        stream = nil
        continuation?.resume(throwing: error)
        continuation = nil
    }
}
