import CUV
import Glibc

/// A listening socket; hands every accepted connection to a closure on its loop.
public final class Listener: @unchecked Sendable {  // confined to `loop`, asserted
    public let loop: EventLoop
    /// The bound address, with the real port when 0 was asked for.
    public private(set) var address: SocketAddress

    private var stream: UnsafeMutablePointer<uv_stream_t>?
    private let accept: (StreamSocket) -> Void

    private init(
        loop: EventLoop, stream: UnsafeMutablePointer<uv_stream_t>, address: SocketAddress,
        accept: @escaping (StreamSocket) -> Void
    ) {
        self.loop = loop
        self.stream = stream
        self.address = address
        self.accept = accept
        // Balanced in the close callback.
        stream.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    /// Binds and listens.
    /// - Parameter reusePort: several loops may share the port (SO_REUSEPORT).
    /// - Throws: `LoopError`, `EADDRINUSE` when the port is taken.
    public static func bind(
        _ address: SocketAddress, on loop: EventLoop, reusePort: Bool = false,
        backlog: Int32 = 1024, _ accept: @escaping @Sendable (StreamSocket) -> Void
    ) async throws -> Listener {
        try await loop.submit {
            let stream = try open(address, on: loop, reusePort: reusePort)
            let listener = Listener(loop: loop, stream: stream, address: address, accept: accept)
            let code = uv_listen(stream, backlog) { stream, status in
                guard status == 0, let data = stream?.pointee.data else { return }
                Unmanaged<Listener>.fromOpaque(data).takeUnretainedValue().acceptOne()
            }
            if code < 0 {
                listener.closeNow()
                throw LoopError(code: code, operation: "listen on \(address)")
            }
            listener.address = Connection.localAddress(stream, of: address) ?? address
            return listener
        }
    }

    private static func open(
        _ address: SocketAddress, on loop: EventLoop, reusePort: Bool
    ) throws -> UnsafeMutablePointer<uv_stream_t> {
        let stream = try Connection.newHandle(for: address, on: loop)
        do {
            if case .unix(let path) = address {
                let pipe = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_pipe_t.self)
                unlink(path)
                try check(uv_pipe_bind(pipe, path), "bind \(address)")
            } else {
                let tcp = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_tcp_t.self)
                if reusePort { try Connection.setReusePort(tcp, address) }
                try address.withPointer { try check(uv_tcp_bind(tcp, $0, 0), "bind \(address)") }
            }
            return stream
        } catch {
            Handle.close(stream)
            throw error
        }
    }

    private func acceptOne() {
        guard let stream,
            let client = try? Connection.newHandle(for: address, on: loop, accepting: true)
        else {
            return
        }
        guard uv_accept(stream, client) == 0 else {
            Handle.close(client)
            return
        }
        let peer = Connection.finishSetup(client, listener: address)
        accept(StreamSocket(loop: loop, stream: client, peer: peer))
    }

    /// Still accepting. Loop only.
    public var isOpen: Bool { stream != nil }

    /// Stops accepting. Connections that were accepted live on.
    public func close() async { try? await loop.submit { [self] in closeNow() } }

    private func closeNow() {
        guard let stream else { return }
        self.stream = nil
        Handle.close(stream)
        Unmanaged.passUnretained(self).release()
    }
}
