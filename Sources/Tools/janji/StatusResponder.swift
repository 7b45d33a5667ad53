import Environment
import HTTP1
import Loop
import Telemetry

/// `/health` and `/metrics` by HTTP/1.1, for roles without an edge (D-23, requirements 1.7).
final class StatusResponder: StreamSocketHandler {
    private let socket: any ByteStream
    private let service: String
    private let metrics: Metrics
    private let isReady: @Sendable () -> Bool
    private var parser = HTTPRequestParser(limits: HTTPLimits(bodyBytes: 1024))
    private var head: HTTPRequestHead?
    private var timer: LoopTimer?

    /// A connection that asks nothing for this long is closed.
    private static let patience = Duration.seconds(30)
    /// Bytes of answers that a client may leave unread.
    private static let unreadLimit = 1 << 20

    private init(
        _ socket: any ByteStream, service: String, metrics: Metrics,
        isReady: @escaping @Sendable () -> Bool
    ) {
        self.socket = socket
        self.service = service
        self.metrics = metrics
        self.isReady = isReady
    }

    static func accept(
        _ socket: any ByteStream, _ bytes: [UInt8], service: String, metrics: Metrics,
        isReady: @escaping @Sendable () -> Bool
    ) {
        let responder = StatusResponder(
            socket, service: service, metrics: metrics, isReady: isReady)
        socket.setHandler(responder)
        responder.timer = socket.loop.schedule(after: patience) { [socket] in socket.close() }
        socket.startReading()
        bytes.withUnsafeBytes { responder.socketDidRead($0) }
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        timer?.restart(after: Self.patience)
        parser.feed(bytes)
        do {
            while let event = try parser.next() {
                if case .head(let head) = event { self.head = head }
                if case .end = event, let head { answer(head) }
            }
        } catch {
            let response = HTTPResponse(status: error.status)
            socket.write(HTTPResponseEncoder.forBrokenRequest.encode(response, date: ""))
            socket.shutdown()
        }
    }

    private func answer(_ head: HTTPRequestHead) {
        guard socket.isOpen else { return }
        // Who asks and does not read is not answered any more.
        guard socket.queuedBytes < Self.unreadLimit else { return socket.close() }
        let encoder = HTTPResponseEncoder(for: head)
        socket.write(encoder.encode(response(head), date: ""))
        if !encoder.keepAlive { socket.shutdown() }
    }

    private func response(_ head: HTTPRequestHead) -> HTTPResponse {
        guard head.method == .get || head.method == .head else {
            return HTTPResponse(status: .methodNotAllowed)
        }
        switch String(decoding: head.path, as: UTF8.self) {
        case "/health":
            let ready = isReady()
            let text =
                "{\"status\":\"\(ready ? "healthy" : "starting")\",\"service\":\"\(service)\","
                + "\"timestamp\":\"\(Instant.now().rfc3339)\"}"
            return HTTPResponse(
                status: ready ? .ok : .serviceUnavailable, contentType: "application/json",
                body: Array(text.utf8))
        case "/metrics":
            return HTTPResponse(
                status: .ok, contentType: "text/plain; version=0.0.4",
                body: Array(metrics.render().utf8))
        default:
            return HTTPResponse(status: .notFound)
        }
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) { timer?.cancel() }
}
