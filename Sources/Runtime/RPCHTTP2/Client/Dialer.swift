import Loop

/// How a channel gets a stream of bytes to an address.
struct Dialer: Sendable {
    let loop: EventLoop

    /// - Throws: `LoopError` when there is no socket; anything else is TLS's.
    func dial(_ address: SocketAddress, within limit: Duration) async throws -> any ByteStream {
        try await StreamSocket.connect(to: address, on: loop, timeout: limit)
    }
}
