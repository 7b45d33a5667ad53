import Loop

/// A socket whose bytes arrive one by one, whatever the kernel does.
final class Dribble: ByteStream, StreamSocketHandler, @unchecked Sendable {
    private let socket: StreamSocket
    private var handler: (any StreamSocketHandler)?

    init(_ socket: StreamSocket) { self.socket = socket }

    var loop: EventLoop { socket.loop }
    var peer: SocketAddress { socket.peer }
    var queuedBytes: Int { socket.queuedBytes }
    var isOpen: Bool { socket.isOpen }

    func setHandler(_ handler: any StreamSocketHandler) {
        self.handler = handler
        socket.setHandler(self)
    }

    func startReading() { socket.startReading() }
    func stopReading() { socket.stopReading() }
    func write(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes { socket.write([byte]) }
    }
    func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }
    func write(_ chunks: [[UInt8]]) {
        for chunk in chunks { write(chunk) }
    }
    func shutdown() { socket.shutdown() }
    func close(_ error: (any Error)?) { socket.close(error) }
    func unixCredentials() -> UnixCredentials? { nil }
    func localAddress() -> SocketAddress? { socket.localAddress() }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        for index in bytes.indices {
            handler?.socketDidRead(UnsafeRawBufferPointer(rebasing: bytes[index...index]))
        }
    }
    func socketDidEnd() { handler?.socketDidEnd() }
    func socketDidDrain() { handler?.socketDidDrain() }
    func socketDidClose(_ error: (any Error)?) {
        let handler = handler
        self.handler = nil
        handler?.socketDidClose(error)
    }
}
