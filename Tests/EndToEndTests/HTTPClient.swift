import HTTP1
import Loop
import Protobuf
import Synchronization

/// What came back for one request.
struct Answer: Sendable, CustomStringConvertible {
    var status = 0
    var headers = HTTPHeaders()
    var body: [UInt8] = []

    func header(_ name: String) -> String? { headers.first(name) }
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue.parse(body)) ?? .null }
    var data: JSONValue { json["data"] ?? .null }
    /// The code of an error envelope.
    var code: String? { json["error"]?["code"]?.string }
    var details: [JSONValue] { json["error"]?["details"]?.array ?? [] }
    var description: String { "\(status) \(text.prefix(1_500))" }
}

struct ClientError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A small browser: one connection per request, and a cookie jar.
final class HTTPClient: Sendable {
    let port: UInt16
    let loop: EventLoop
    /// How long it asks again, as the pages do, when it is told to come back later: 503, or 409
    /// because another request holds what it needs.
    private let patience: Duration
    private let jar = Mutex<[String: String]>([:])

    init(port: UInt16, loop: EventLoop = .clients, patience: Duration = .seconds(60)) {
        self.port = port
        self.loop = loop
        self.patience = patience
    }

    var cookies: [String: String] {
        get { jar.withLock { $0 } }
        set { jar.withLock { $0 = newValue } }
    }

    var cookieField: String? {
        let cookies = cookies
        return cookies.isEmpty
            ? nil : cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
    }

    func get(_ path: String, headers: [(String, String)] = []) async throws -> Answer {
        try await send(.get, path, headers: headers)
    }

    func post(
        _ path: String, _ body: JSONValue = .object([]), headers: [(String, String)] = []
    ) async throws -> Answer {
        try await send(.post, path, body: body.encoded(), headers: headers)
    }

    func send(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil,
        headers: [(String, String)] = [], timeout: Duration = .seconds(60)
    ) async throws -> Answer {
        let end = ContinuousClock.now + patience
        while true {
            let answer = try await sendOnce(method, path, body, headers, timeout)
            guard answer.status == 503 || answer.code == "REQUEST_IN_PROGRESS",
                ContinuousClock.now < end
            else { return answer }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func sendOnce(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, _ headers: [(String, String)],
        _ timeout: Duration
    ) async throws -> Answer {
        var head = "\(method.rawValue) \(path) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\n"
        head += "connection: close\r\n"
        if let cookieField { head += "cookie: \(cookieField)\r\n" }
        if let body {
            head += "content-length: \(body.count)\r\n"
            if !headers.contains(where: { $0.0 == "content-type" }) {
                head += "content-type: application/json\r\n"
            }
        }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let answer = try await exchange(
            Array((head + "\r\n").utf8) + (body ?? []), method, timeout: timeout)
        for line in answer.headers.all("set-cookie") { keep(line) }
        return answer
    }

    /// Sends these bytes and reads one response.
    func exchange(
        _ bytes: [UInt8], _ method: HTTPMethod = .get, timeout: Duration = .seconds(60)
    ) async throws -> Answer {
        guard let address = SocketAddress(host: "127.0.0.1", port: port) else {
            throw ClientError("no address")
        }
        let loop = loop
        return try await loop.run {
            let socket = try await StreamSocket.connect(to: address, on: loop)
            return try await withCheckedThrowingContinuation { continuation in
                let exchange = HTTPExchange(method, socket, continuation)
                socket.setHandler(exchange)
                exchange.timer = loop.schedule(after: timeout) {
                    exchange.finish(.failure(ClientError("no answer within \(timeout)")))
                }
                socket.startReading()
                socket.write(bytes)
            }
        }
    }

    private func keep(_ line: String) {
        let pair = line.split(separator: ";").first ?? ""
        guard let equals = pair.firstIndex(of: "=") else { return }
        let name = String(pair[..<equals])
        let value = String(pair[pair.index(after: equals)...])
        jar.withLock { $0[name] = value.isEmpty || line.contains("Max-Age=0") ? nil : value }
    }
}

extension EventLoop {
    /// The loop of every client in these tests.
    static let clients = EventLoop(name: "clients")
}

/// One request's socket; loop only.
private final class HTTPExchange: StreamSocketHandler {
    var timer: LoopTimer?
    private weak var socket: StreamSocket?
    private var parser = HTTPResponseParser()
    private var continuation: CheckedContinuation<Answer, any Error>?
    private var answer = Answer()

    init(
        _ method: HTTPMethod, _ socket: StreamSocket,
        _ continuation: CheckedContinuation<Answer, any Error>
    ) {
        parser.expect(method)
        self.socket = socket
        self.continuation = continuation
    }

    func finish(_ result: Result<Answer, any Error>) {
        timer?.cancel()
        continuation?.resume(with: result)
        continuation = nil
        socket?.close()
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        parser.feed(bytes)
        do {
            while let event = try parser.next() { take(event) }
        } catch {
            finish(.failure(error))
        }
    }

    private func take(_ event: HTTPResponseEvent) {
        switch event {
        case .informational: break
        case .head(let head):
            answer.status = head.status.rawValue
            answer.headers = head.headers
        case .body(let bytes): answer.body += bytes
        case .end: finish(.success(answer))
        }
    }

    func socketDidEnd() {
        do {
            if let event = try parser.finish() { take(event) }
            finish(.failure(ClientError("the connection ended without an answer")))
        } catch {
            finish(.failure(error))
        }
    }

    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        finish(.failure(error ?? ClientError("the connection was closed") as any Error))
    }
}
