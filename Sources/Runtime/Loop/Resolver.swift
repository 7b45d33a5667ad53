import CUV
import Glibc

/// Names to addresses by the system's resolver (hosts file, DNS), off the loop's thread.
public enum Resolver {
    /// The addresses of a host in the system's order of preference; a numeric host is itself.
    /// - Throws: `LoopError`, for example `ENOTFOUND`.
    public static func resolve(
        host: String, port: UInt16, on loop: EventLoop
    ) async throws -> [SocketAddress] {
        if let numeric = SocketAddress(host: host, port: port) { return [numeric] }
        return try await loop.suspend("resolve \(host)") { continuation in
            Lookup(host, port, continuation).start(on: loop)
        }
    }
}

/// One `getaddrinfo`; keeps itself alive until libuv calls back.
private final class Lookup {
    private let host: String
    private let port: UInt16
    private let continuation: CheckedContinuation<[SocketAddress], any Error>
    private let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)

    init(
        _ host: String, _ port: UInt16,
        _ continuation: CheckedContinuation<[SocketAddress], any Error>
    ) {
        self.host = host
        self.port = port
        self.continuation = continuation
    }

    deinit { request.deallocate() }

    func start(on loop: EventLoop) {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        request.initialize(to: uv_getaddrinfo_t())
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let code = uv_getaddrinfo(
            loop.raw, request,
            { request, status, result in
                guard let data = request?.pointee.data else { return }
                Unmanaged<Lookup>.fromOpaque(data).takeRetainedValue().finish(status, result)
            }, host, String(port), &hints)
        if code < 0 {
            Unmanaged.passUnretained(self).release()
            continuation.resume(throwing: LoopError(code: code, operation: "resolve \(host)"))
        }
    }

    private func finish(_ status: Int32, _ result: UnsafeMutablePointer<addrinfo>?) {
        defer { uv_freeaddrinfo(result) }
        guard status == 0 else {
            continuation.resume(throwing: LoopError(code: status, operation: "resolve \(host)"))
            return
        }
        var addresses: [SocketAddress] = []
        var next = result
        while let entry = next {
            if let raw = entry.pointee.ai_addr, let address = SocketAddress(raw) {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        continuation.resume(returning: addresses)
    }
}
