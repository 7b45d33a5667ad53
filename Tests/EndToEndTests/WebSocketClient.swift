import HTTP1
import Loop
import Protobuf
import Synchronization
import TestKit
import WebSocket

/// One WebSocket from the browser's side: keeps every message until a test asks for it.
final class WebSocketClient: Sendable {
    struct Refused: Error, CustomStringConvertible {
        let answer: Answer
        var description: String { "not upgraded: \(answer)" }
    }

    private struct State {
        var messages: [JSONValue] = []
        var read = 0
        var close: UInt16?
        var isOver = false
    }

    private let state = Mutex(State())
    private let connection = Mutex<WebSocketConnection?>(nil)

    private init() {}

    /// Opens a socket and returns after the upgrade.
    /// - Parameter origin: `own` is that of the pages served there; nil sends none.
    /// - Throws: ``Refused`` with the server's answer when it does not upgrade.
    static func open(
        _ path: String, port: UInt16, cookies: String? = nil, origin: String? = "own",
        loop: EventLoop = .clients
    ) async throws -> WebSocketClient {
        let client = WebSocketClient()
        var head = "GET \(path) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\nupgrade: websocket\r\n"
        head += "connection: Upgrade\r\nsec-websocket-version: 13\r\n"
        head += "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        if let cookies { head += "cookie: \(cookies)\r\n" }
        if let origin {
            head += "origin: \(origin == "own" ? "http://127.0.0.1:\(port)" : origin)\r\n"
        }
        let bytes = Array((head + "\r\n").utf8)
        guard let address = SocketAddress(host: "127.0.0.1", port: port) else {
            throw ClientError("no address")
        }
        try await loop.run {
            let socket = try await StreamSocket.connect(to: address, on: loop)
            try await withCheckedThrowingContinuation { continuation in
                let connection = WebSocketConnection(socket, client, continuation)
                client.connection.withLock { $0 = connection }
                socket.setHandler(connection)
                socket.startReading()
                socket.write(bytes)
            }
        }
        return client
    }

    // MARK: For tests

    func send(_ message: JSONValue) {
        sendFrame(WebSocketFrameEncoder.text(message.encoded(), mask: mask))
    }
    func send(text: String) { sendFrame(WebSocketFrameEncoder.text(text, mask: mask)) }

    /// Raw bytes, whether a frame or not.
    func sendFrame(_ bytes: [UInt8]) {
        let connection = connection.withLock { $0 }
        connection?.loop.execute { connection?.write(bytes) }
    }

    private var mask: UInt32 { .random(in: 1 ... .max) }

    /// The next message that `matches`; those before it are dropped.
    func next(
        within time: Duration = .seconds(60), where matches: (JSONValue) -> Bool = { _ in true }
    ) async throws -> JSONValue {
        let end = ContinuousClock.now + time
        while true {
            let found: JSONValue? = state.withLock { state in
                while state.read < state.messages.count {
                    let message = state.messages[state.read]
                    state.read += 1
                    if matches(message) { return message }
                }
                return nil
            }
            if let found { return found }
            guard ContinuousClock.now < end, !isOver else {
                throw ClientError(
                    "no such message; closed: \(String(describing: closeCode)); came: "
                        + all.suffix(6).map { String(decoding: $0.encoded(), as: UTF8.self) }
                        .joined(separator: "\n"))
            }
            try await Task.sleep(for: .milliseconds(3))
        }
    }

    /// The next message of this type.
    func next(_ type: String, within time: Duration = .seconds(60)) async throws -> JSONValue {
        try await next(within: time) { $0["type"]?.string == type }
    }

    /// Every message so far.
    var all: [JSONValue] { state.withLock { $0.messages } }
    var isOver: Bool { state.withLock { $0.isOver } }
    var closeCode: UInt16? { state.withLock { $0.close } }

    /// Waits for the end of the socket.
    func waitForClose(within time: Duration = .seconds(60)) async throws -> UInt16? {
        let end = ContinuousClock.now + time
        while !isOver {
            guard ContinuousClock.now < end else { throw ClientError("the socket stays open") }
            try await Task.sleep(for: .milliseconds(3))
        }
        return closeCode
    }

    func close() { sendFrame(WebSocketFrameEncoder.close(.normal, mask: mask)) }

    // MARK: From the connection

    fileprivate func take(_ text: [UInt8]) {
        let value = (try? JSONValue.parse(text)) ?? .string("not JSON")
        state.withLock { $0.messages.append(value) }
    }

    fileprivate func end(_ code: UInt16?) {
        state.withLock { state in
            if state.close == nil { state.close = code }
            state.isOver = true
        }
    }
}

extension Stage {
    private static let followed = AsyncCache<Mode, Bool>()

    /// Returns once the edge hears of what happens: its stream of events begins a little after it is
    /// healthy, and before that sockets are told to fetch anew instead.
    func followed() async throws {
        let isFollowed = try await Self.followed.value(system.mode) {
            let course = try await course([.init(hour: 1)])
            let socket = try await WebSocketClient.open("/ws/availability", port: system.port)
            defer { socket.close() }
            socket.send(["type": "subscribe", "filters": ["course_id": .string(course.id)]])
            _ = try await socket.next("subscribed")
            for _ in 0..<60 {
                try await register(course)
                let news = try? await socket.next("booking.created", within: .seconds(2))
                if news != nil { return true }
            }
            return false
        }
        guard isFollowed else { throw ClientError("the edge hears of nothing") }
    }
}

/// The socket's loop side.
private final class WebSocketConnection: StreamSocketHandler, @unchecked Sendable {  // loop only
    let loop: EventLoop
    private let socket: StreamSocket
    private let client: WebSocketClient
    private var opening: CheckedContinuation<Void, any Error>?
    private var http = HTTPResponseParser()
    private var frames = WebSocketFrameParser(role: .client, maxMessageBytes: 1 << 20)
    private var answer = Answer()
    private var isUpgraded = false

    init(
        _ socket: StreamSocket, _ client: WebSocketClient,
        _ opening: CheckedContinuation<Void, any Error>
    ) {
        loop = socket.loop
        self.socket = socket
        self.client = client
        self.opening = opening
        http.expect(.get)
    }

    func write(_ bytes: [UInt8]) {
        if socket.isOpen { socket.write(bytes) }
    }

    private func opened(_ result: Result<Void, any Error>) {
        opening?.resume(with: result)
        opening = nil
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        do {
            if isUpgraded {
                frames.feed(bytes)
            } else {
                http.feed(bytes)
                try readHandshake()
            }
            if isUpgraded { try readFrames() }
        } catch {
            opened(.failure(error))
            client.end(nil)
            socket.close()
        }
    }

    private func readHandshake() throws {
        while !isUpgraded, let event = try http.next() {
            switch event {
            case .head(let head):
                answer.status = head.status.rawValue
                answer.headers = head.headers
                guard head.status == .switchingProtocols else { continue }
                let accept = WebSocketHandshake.acceptValue(forKey: "dGhlIHNhbXBsZSBub25jZQ==")
                guard head.headers.first("sec-websocket-accept") == accept else {
                    throw ClientError("wrong Sec-WebSocket-Accept")
                }
                isUpgraded = true
                http.takeRemaining().withUnsafeBytes { frames.feed($0) }
                opened(.success(()))
            case .body(let bytes): answer.body += bytes
            case .end: opened(.failure(WebSocketClient.Refused(answer: answer)))
            case .informational: break
            }
        }
    }

    private func readFrames() throws {
        while let event = try frames.next() {
            switch event {
            case .text(let text): client.take(text)
            case .binary: break
            case .ping(let payload):
                write(WebSocketFrameEncoder.pong(payload, mask: .random(in: 1 ... .max)))
            case .pong: break
            case .close(let code, _):
                client.end(code?.rawValue)
                write(WebSocketFrameEncoder.close(code, mask: .random(in: 1 ... .max)))
                socket.close()
            }
        }
    }

    func socketDidEnd() {
        if let event = try? http.finish(), case .end = event {
            opened(.failure(WebSocketClient.Refused(answer: answer)))
        }
        opened(.failure(ClientError("the connection ended during the upgrade")))
        client.end(nil)
        socket.close()
    }

    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        opened(.failure(error ?? ClientError("closed during the upgrade") as any Error))
        client.end(nil)
    }
}
