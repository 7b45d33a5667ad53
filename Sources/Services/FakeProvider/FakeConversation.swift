import Environment
import HTTP1
import Loop

/// One connection to the pretended providers: HTTP/1.1, answered at once.
final class FakeConversation: StreamSocketHandler {
    private let socket: any ByteStream
    private let routes: FakeRoutes
    private var parser = HTTPRequestParser(limits: HTTPLimits(bodyBytes: 64 * 1024))
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var timer: LoopTimer?

    private static let patience = Duration.seconds(60)

    private init(_ socket: any ByteStream, _ provider: FakeProvider) {
        self.socket = socket
        routes = FakeRoutes(provider: provider)
    }

    static func begin(_ socket: any ByteStream, _ provider: FakeProvider) {
        let conversation = FakeConversation(socket, provider)
        socket.setHandler(conversation)
        conversation.timer = socket.loop.schedule(after: patience) { [socket] in socket.close() }
        socket.startReading()
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        timer?.restart(after: Self.patience)
        parser.feed(bytes)
        do {
            while let event = try parser.next() {
                switch event {
                case .head(let head):
                    self.head = head
                    body = []
                case .body(let more): body += more
                case .end: answer()
                }
            }
        } catch {
            let response = HTTPResponse(status: error.status)
            socket.write(HTTPResponseEncoder.forBrokenRequest.encode(response, date: ""))
            socket.shutdown()
        }
    }

    private func answer() {
        guard socket.isOpen, let head else { return }
        let encoder = HTTPResponseEncoder(for: head)
        socket.write(encoder.encode(routes.answer(head, body), date: ""))
        if !encoder.keepAlive { socket.shutdown() }
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) { timer?.cancel() }
}
