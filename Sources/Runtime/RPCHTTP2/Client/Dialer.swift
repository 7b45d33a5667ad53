import Environment
import Loop
import TLS

/// How a channel gets a stream of bytes to an address.
struct Dialer: Sendable {
    let loop: EventLoop
    /// Nil: plaintext.
    let tls: TLSClientContext?
    /// `host[:port]`; a server's certificate has to be for this host.
    let authority: String

    /// Over TLS the handshake begins when the stream is read, within its own time limit.
    /// - Throws: `LoopError` when there is no socket; anything else is TLS's.
    func dial(_ address: SocketAddress, within limit: Duration) async throws -> any ByteStream {
        guard let tls else {
            return try await StreamSocket.connect(to: address, on: loop, timeout: limit)
        }
        let end = Deadline.after(limit)
        // Changed files that cannot be used leave the old ones in force, as on a server.
        _ = try? await loop.blocking { try tls.reloadIfChanged() }
        let socket = try await StreamSocket.connect(to: address, on: loop, timeout: end.remaining)
        do {
            return try TLSStream(socket, tls, authority: authority)
        } catch {
            socket.close()
            throw error
        }
    }
}
