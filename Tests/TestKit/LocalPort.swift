import Foundation
import Synchronization

/// Ports of the loopback below the range that the kernel hands out by itself, so that nothing
/// takes them between the choice and the start of a server.
public enum LocalPort {
    private static let next = Mutex<UInt16>(UInt16(10_000 + (Int(getpid()) * 37) % 9_000))

    /// A free port whose neighbour at +1000 (metrics, Kafka's controller) is free too.
    public static func find() throws -> UInt16 {
        for _ in 0..<2_000 {
            let port = next.withLock { next in
                next = next >= 19_900 ? 10_000 : next + 1
                return next
            }
            if reserve(port), reserve(port + 1_000), isFree(port), isFree(port + 1_000) {
                return port
            }
        }
        throw BackgroundProcess.Failure(description: "no free port on the loopback")
    }

    /// A byte for each port, locked by the test process that chose it and until that ends: test
    /// runs beside each other choose different ones.
    private static let reservations = open(
        "/tmp/janji-test-ports.\(getuid())", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)

    private static func reserve(_ port: UInt16) -> Bool {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = off_t(port)
        lock.l_len = 1
        return fcntl(reservations, F_SETLK, &lock) == 0 || errno == EBADF
    }

    /// Whether a server could listen there.
    public static func isFree(_ port: UInt16) -> Bool {
        withAddress(port) { bind($0, $1, $2) == 0 }
    }

    /// Whether somebody listens there.
    static func answers(_ port: UInt16) -> Bool {
        withAddress(port) { connect($0, $1, $2) == 0 }
    }

    /// GET by a plain blocking socket: the status, nil when nobody answers in time.
    static func status(of path: String, at port: UInt16) -> Int? {
        withAddress(port) { descriptor, address, length -> Int? in
            var limit = timeval(tv_sec: 2, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            guard connect(descriptor, address, length) == 0 else { return nil }
            let request = Array(
                "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8)
            guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) > 0 else {
                return nil
            }
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 12 else { return nil }
            return Int(String(decoding: buffer[9..<12], as: UTF8.self))
        }
    }

    private static func withAddress<T>(
        _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> T
    ) -> T {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
