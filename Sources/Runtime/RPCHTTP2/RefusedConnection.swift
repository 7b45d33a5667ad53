import Loop

/// A connection beyond the limit: hears why (SETTINGS, then GOAWAY ENHANCE_YOUR_CALM with a debug
/// text; 503 over HTTP/1.1) instead of a bare reset, and has a second to ask and one to read it.
final class RefusedConnection: StreamSocketHandler {
    /// Frames by RFC 9113 §6.5 and §6.8: an empty SETTINGS, and a GOAWAY with last stream 0.
    private static let farewell: [UInt8] = {
        let reason = Array(ConnectionEnd.limit.label.utf8)
        return [0, 0, 0, 4, 0, 0, 0, 0, 0]
            + [0, 0, UInt8(8 + reason.count), 7, 0, 0, 0, 0, 0]
            + [0, 0, 0, 0, 0, 0, 0, 11] + reason
    }()

    private static let unavailable: [UInt8] = {
        let reason = ConnectionEnd.limit.label + "\n"
        return Array(
            ("HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n"
                + "content-length: \(reason.utf8.count)\r\nconnection: close\r\n\r\n" + reason).utf8
        )
    }()

    private let socket: any ByteStream
    private var timer: LoopTimer?
    private var firstBytes: [UInt8] = []
    private var hasAnswered = false

    init(_ socket: any ByteStream) {
        self.socket = socket
    }

    func start() {
        socket.setHandler(self)
        socket.startReading()
        timer = socket.loop.schedule(every: .seconds(1)) { [self] in
            if hasAnswered { socket.close() } else { answer(.http2) }
        }
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard !hasAnswered else { return }
        firstBytes += bytes
        guard let version = SpokenVersion(firstBytes) else { return }
        answer(version)
    }

    private func answer(_ version: SpokenVersion) {
        hasAnswered = true
        socket.write(
            version == .http1 ? RefusedConnection.unavailable : RefusedConnection.farewell)
        socket.shutdown()
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        timer?.cancel()
        timer = nil
    }
}
