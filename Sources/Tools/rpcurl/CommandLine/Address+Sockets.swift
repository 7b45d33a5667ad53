import Loop
import RPC

extension Address {
    /// Every address that the target stands for.
    /// - Throws: the resolver's error.
    func sockets(on loop: EventLoop) async throws -> [SocketAddress] {
        if target.hasPrefix("unix:") { return [.unix(path: String(target.dropFirst(5)))] }
        let split = target.lastIndex(of: ":") ?? target.endIndex
        var host = target[..<split]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard let port = UInt16(target[split...].dropFirst()) else { return [] }
        return try await Resolver.resolve(host: String(host), port: port, on: loop)
    }
}
