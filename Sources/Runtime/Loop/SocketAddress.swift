import CUV
import Glibc

/// Where a stream socket listens or connects: a numeric IP address with a port, or a UNIX path.
public enum SocketAddress: Sendable, Hashable, CustomStringConvertible {
    case ipv4(host: String, port: UInt16)
    case ipv6(host: String, port: UInt16)
    case unix(path: String)

    /// `nil` unless `host` is a numeric IPv4 or IPv6 address; names go through ``Resolver``.
    public init?(host: String, port: UInt16) {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        if uv_ip4_addr(host, 0, &four) == 0 {
            self = .ipv4(host: host, port: port)
        } else if uv_ip6_addr(host, 0, &six) == 0 {
            self = .ipv6(host: host, port: port)
        } else {
            return nil
        }
    }

    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix: nil
        }
    }

    public var description: String {
        switch self {
        case .ipv4(let host, let port): "\(host):\(port)"
        case .ipv6(let host, let port): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Calls `body` with the C form. UNIX paths have none here: libuv takes them by name.
    func withPointer<T>(_ body: (UnsafePointer<sockaddr>) throws -> T) throws -> T {
        var storage = sockaddr_storage()
        try withUnsafeMutableBytes(of: &storage) { bytes in
            switch self {
            case .ipv4(let host, let port):
                let target = bytes.baseAddress?.assumingMemoryBound(to: sockaddr_in.self)
                try check(uv_ip4_addr(host, Int32(port), target), "address \(self)")
            case .ipv6(let host, let port):
                let target = bytes.baseAddress?.assumingMemoryBound(to: sockaddr_in6.self)
                try check(uv_ip6_addr(host, Int32(port), target), "address \(self)")
            case .unix:
                throw LoopError(code: UV_EAFNOSUPPORT.rawValue, operation: "address \(self)")
            }
        }
        return try withUnsafePointer(to: &storage) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0) }
        }
    }

    init?(_ pointer: UnsafePointer<sockaddr>) {
        var text = [CChar](repeating: 0, count: 64)
        switch Int32(pointer.pointee.sa_family) {
        case AF_INET:
            let (host, port) = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                uv_ip4_name($0, &text, text.count)
                return (Self.string(text), UInt16(bigEndian: $0.pointee.sin_port))
            }
            self = .ipv4(host: host, port: port)
        case AF_INET6:
            let (host, port) = pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                uv_ip6_name($0, &text, text.count)
                return (Self.string(text), UInt16(bigEndian: $0.pointee.sin6_port))
            }
            self = .ipv6(host: host, port: port)
        default: return nil
        }
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
