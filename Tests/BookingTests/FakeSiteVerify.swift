import HTTP1
import Loop
import Protobuf
import Synchronization

/// A captcha provider's `siteverify` on a real socket, which answers with one script.
final class FakeSiteVerify: Sendable {
    /// Nil: never answers.
    typealias Script = @Sendable (_ form: String) -> HTTPResponse?

    private let asked = Mutex<[String]>([])
    private let listener: Mutex<Listener?> = Mutex(nil)
    private let script: Script

    private init(_ script: @escaping Script) { self.script = script }

    static func start(_ script: @escaping Script) async throws -> FakeSiteVerify {
        let server = FakeSiteVerify(script)
        let listener = try await Listener.bind(
            .ipv4(host: "127.0.0.1", port: 0), on: Fixture.loop
        ) { socket in
            socket.setHandler(Conversation(socket, server))
            socket.startReading()
        }
        server.listener.withLock { $0 = listener }
        return server
    }

    static func json(_ value: JSONValue, status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: value.encoded())
    }

    var url: String {
        "http://127.0.0.1:\(listener.withLock { $0?.address.port ?? 0 })/siteverify"
    }

    /// The forms that have come.
    var forms: [String] { asked.withLock { $0 } }

    func close() async { await listener.withLock { $0 }?.close() }

    private final class Conversation: StreamSocketHandler {
        private let stream: any ByteStream
        private let server: FakeSiteVerify
        private var parser = HTTPRequestParser(limits: HTTPLimits(bodyBytes: 64 << 10))
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ stream: any ByteStream, _ server: FakeSiteVerify) {
            self.stream = stream
            self.server = server
        }

        func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
            parser.feed(bytes)
            while let event = try? parser.next() {
                switch event {
                case .head(let head):
                    self.head = head
                    body = []
                case .body(let more): body += more
                case .end: answer()
                }
            }
        }

        private func answer() {
            guard let head else { return }
            let form = String(decoding: body, as: UTF8.self)
            server.asked.withLock { $0.append(form) }
            guard let response = server.script(form) else { return }
            stream.write(HTTPResponseEncoder(for: head).encode(response, date: ""))
        }

        func socketDidEnd() { stream.close() }
        func socketDidDrain() {}
        func socketDidClose(_ error: (any Error)?) {}
    }
}
