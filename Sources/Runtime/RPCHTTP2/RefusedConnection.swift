import Loop

/// A connection beyond the limit: hears why (SETTINGS, then GOAWAY ENHANCE_YOUR_CALM with a debug
/// text) instead of a bare reset, and has one second to read it.
final class RefusedConnection: StreamSocketHandler {
    /// Frames by RFC 9113 §6.5 and §6.8: an empty SETTINGS, and a GOAWAY with last stream 0.
    private static let farewell: [UInt8] = {
        let reason = Array(ConnectionEnd.limit.label.utf8)
        return [0, 0, 0, 4, 0, 0, 0, 0, 0]
            + [0, 0, UInt8(8 + reason.count), 7, 0, 0, 0, 0, 0]
            + [0, 0, 0, 0, 0, 0, 0, 11] + reason
    }()

    private let socket: any ByteStream
    private var timer: LoopTimer?

    init(_ socket: any ByteStream) {
        self.socket = socket
    }

    func start() {
        socket.setHandler(self)
        socket.startReading()
        socket.write(RefusedConnection.farewell)
        socket.shutdown()
        timer = socket.loop.schedule(after: .seconds(1)) { [socket] in socket.close() }
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {}
    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        timer?.cancel()
        timer = nil
    }
}
