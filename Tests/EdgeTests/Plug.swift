import Glibc
import HTTP1
import Protobuf
import WebSocket

/// A blocking client on a plain socket: tests read as what goes over the wire.
final class Plug {
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue { (try? JSONValue.parse(body)) ?? .null }
        var code: String? { json["error"]?["code"]?.string }
    }

    enum Incoming: Equatable {
        case message(JSONValue)
        case ping
        case closed(UInt16?)
        /// The connection ended without a close frame.
        case end
    }

    struct Timeout: Error {}
    /// The server ended the connection before the whole answer was there.
    struct Ended: Error {}

    private let descriptor: Int32
    private var responses = HTTPResponseParser()
    private var frames = WebSocketFrameParser(role: .client, maxMessageBytes: 1 << 20)
    private var isUpgraded = false

    init(_ port: UInt16, receiveBuffer: Int32? = nil) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, 4)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(code == 0, "connect: errno \(errno)")
    }

    deinit { hangUp() }

    private var isOpen = true

    func hangUp() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }

    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// False at the end of the connection.
    private func read() throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var count = recv(descriptor, &buffer, buffer.count, 0)
        // A process that is stopped and goes on is interrupted where a time limit is set.
        while count < 0, errno == EINTR { count = recv(descriptor, &buffer, buffer.count, 0) }
        if count > 0 { return Array(buffer[..<count]) }
        if count < 0, errno == EAGAIN { throw Timeout() }
        return nil
    }

    /// Whether the server has ended the connection; waits for it.
    var isAtEnd: Bool {
        do {
            return try read() == nil
        } catch {
            return false
        }
    }

    // MARK: HTTP

    func send(
        _ method: String, _ path: String, _ fields: [(String, String)] = [], body: String? = nil
    ) {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: edge.test\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if let body {
            if !fields.contains(where: { $0.0.lowercased() == "content-type" }) {
                text += "Content-Type: application/json\r\n"
            }
            text += "Content-Length: \(body.utf8.count)\r\n"
        }
        write(text + "\r\n" + (body ?? ""))
        responses.expect(HTTPMethod(rawValue: method) ?? .get)
    }

    func answer() throws -> Answer {
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        while true {
            while let event = try responses.next() {
                switch event {
                case .informational: break
                case .head(let found):
                    head = found
                    if found.status.rawValue == 101 {
                        isUpgraded = true
                        let rest = responses.takeRemaining()
                        rest.withUnsafeBytes { frames.feed($0) }
                        return Answer(status: 101, headers: found.headers, body: [])
                    }
                case .body(let bytes): body += bytes
                case .end:
                    guard let head else { throw Timeout() }
                    return Answer(status: head.status.rawValue, headers: head.headers, body: body)
                }
            }
            guard let bytes = try read() else { throw Ended() }
            bytes.withUnsafeBytes { responses.feed($0) }
        }
    }

    func ask(
        _ method: String, _ path: String, _ fields: [(String, String)] = [], body: String? = nil
    ) throws -> Answer {
        send(method, path, fields, body: body)
        return try answer()
    }

    // MARK: WebSocket

    func upgrade(_ path: String, _ fields: [(String, String)] = []) throws -> Answer {
        try ask(
            "GET", path,
            [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ] + fields)
    }

    func say(_ text: String) { write(WebSocketFrameEncoder.text(text, mask: 0x1234_5678)) }

    func hear() throws -> Incoming {
        while true {
            if let event = try frames.next() {
                switch event {
                case .text(let bytes): return .message(try JSONValue.parse(bytes))
                case .ping: return .ping
                case .close(let code, _): return .closed(code?.rawValue)
                default: continue
                }
            }
            guard let bytes = try read() else { return .end }
            bytes.withUnsafeBytes { frames.feed($0) }
        }
    }

    /// The next message that is none of `skipping`, as JSON.
    func message(skipping: Set<String> = ["resync"]) throws -> JSONValue {
        while true {
            switch try hear() {
            case .message(let value):
                if let type = value["type"]?.string, skipping.contains(type) { continue }
                return value
            case .ping: continue
            case let other: throw Unexpected(other)
            }
        }
    }

    struct Unexpected: Error {
        let incoming: Incoming
        init(_ incoming: Incoming) { self.incoming = incoming }
    }
}
