import CUV
import Glibc

/// How stream handles are made, connected and named.
enum Connection {
    /// - Parameter accepting: the handle will receive an accepted descriptor, so it has none yet.
    static func newHandle(
        for address: SocketAddress, on loop: EventLoop, accepting: Bool = false
    ) throws(LoopError) -> UnsafeMutablePointer<uv_stream_t> {
        if case .unix = address {
            let pipe = UnsafeMutablePointer<uv_pipe_t>.allocate(capacity: 1)
            pipe.initialize(to: uv_pipe_t())
            let code = uv_pipe_init(loop.raw, pipe, 0)
            if code < 0 {
                pipe.deallocate()
                throw LoopError(code: code, operation: "socket for \(address)")
            }
            return UnsafeMutableRawPointer(pipe).assumingMemoryBound(to: uv_stream_t.self)
        }
        let family =
            if accepting { AF_UNSPEC } else if case .ipv6 = address { AF_INET6 } else { AF_INET }
        let tcp = UnsafeMutablePointer<uv_tcp_t>.allocate(capacity: 1)
        tcp.initialize(to: uv_tcp_t())
        let code = uv_tcp_init_ex(loop.raw, tcp, UInt32(family))
        if code < 0 {
            tcp.deallocate()
            throw LoopError(code: code, operation: "socket for \(address)")
        }
        return UnsafeMutableRawPointer(tcp).assumingMemoryBound(to: uv_stream_t.self)
    }

    static func setReusePort(
        _ tcp: UnsafeMutablePointer<uv_tcp_t>, _ address: SocketAddress
    ) throws(LoopError) {
        var descriptor: Int32 = -1
        let handle = UnsafeMutableRawPointer(tcp).assumingMemoryBound(to: uv_handle_t.self)
        try check(uv_fileno(handle, &descriptor), "socket for \(address)")
        var on: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEPORT, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sets TCP_NODELAY and tells the peer's address.
    static func finishSetup(
        _ stream: UnsafeMutablePointer<uv_stream_t>, listener: SocketAddress
    ) -> SocketAddress {
        if case .unix = listener { return listener }
        let tcp = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_tcp_t.self)
        uv_tcp_nodelay(tcp, 1)
        return name(of: tcp, uv_tcp_getpeername) ?? listener
    }

    static func localAddress(
        _ stream: UnsafeMutablePointer<uv_stream_t>, of address: SocketAddress
    ) -> SocketAddress? {
        if case .unix = address { return address }
        let tcp = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_tcp_t.self)
        return name(of: tcp, uv_tcp_getsockname)
    }

    private static func name(
        of tcp: UnsafeMutablePointer<uv_tcp_t>,
        _ ask: (
            UnsafePointer<uv_tcp_t>?, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<Int32>?
        ) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                ask(tcp, $0, &length) == 0 ? SocketAddress($0) : nil
            }
        }
    }
}

extension StreamSocket {
    /// Connects.
    /// - Throws: `LoopError` naming the system's reason, or `ETIMEDOUT` after `timeout`;
    ///   `CancellationError` is not used: a cancelled caller gets `ECANCELED`.
    public static func connect(
        to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(5)
    ) async throws -> StreamSocket {
        let attempt = ConnectAttempt(address, loop)
        return try await withTaskCancellationHandler {
            try await loop.suspend("connect \(address)") { continuation in
                attempt.start(continuation, timeout: timeout)
            }
        } onCancel: {
            loop.execute { attempt.fail(.cancelled("connect \(address)")) }
        }
    }
}
