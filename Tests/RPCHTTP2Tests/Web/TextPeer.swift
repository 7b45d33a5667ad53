import HTTP1
import Loop
import RPCHTTP2
import TLS

/// A client that writes HTTP/1.1 by hand and reads the answers that come back. Confined to its
/// loop; every method hops there.
final class TextPeer: StreamSocketHandler, @unchecked Sendable {
    struct Answer: Sendable {
        var status = 0
        var headers = HTTPHeaders()
        var body: [UInt8] = []

        func first(_ name: String) -> String? { headers.first(name) }
    }

    let loop: EventLoop
    private let socket: any ByteStream
    private var parser = HTTPResponseParser()
    private var answer: Answer?
    private var answers: [Answer] = []
    private var interim: [Int] = []
    private var isClosed = false
    private var waiters: [() -> Bool] = []

    private init(_ socket: any ByteStream) {
        self.socket = socket
        loop = socket.loop
    }

    static func connect(
        to server: TestServer, tls: TLSClientContext? = nil
    ) async throws -> TextPeer {
        let loop = EventLoop(name: "text")
        let socket = try await StreamSocket.connect(to: server.address, on: loop)
        return try await loop.submit {
            let stream: any ByteStream =
                if let tls { try TLSStream(socket, tls, host: "127.0.0.1") } else { socket }
            let peer = TextPeer(stream)
            stream.setHandler(peer)
            stream.startReading()
            return peer
        }
    }

    /// A POST with its length; `path` of `bench.Bench`.
    static func post(
        _ path: String, _ type: String, _ body: [UInt8], _ extra: [String] = []
    ) -> [UInt8] {
        let lines = ["POST /bench.Bench/\(path) HTTP/1.1", "Host: x", "Content-Type: \(type)"]
        let head = lines + extra + ["Content-Length: \(body.count)", "", ""]
        return Array(head.joined(separator: "\r\n").utf8) + body
    }

    /// The same in chunks.
    static func post(
        _ path: String, _ type: String, chunks: [[UInt8]], _ extra: [String] = []
    ) -> [UInt8] {
        let lines = ["POST /bench.Bench/\(path) HTTP/1.1", "Host: x", "Content-Type: \(type)"]
        let head = lines + extra + ["Transfer-Encoding: chunked", "", ""]
        var out = Array(head.joined(separator: "\r\n").utf8)
        for chunk in chunks {
            out += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + [13, 10]
        }
        return out + Array("0\r\n\r\n".utf8)
    }

    func send(_ bytes: [UInt8]) async throws {
        try await loop.submit { [self] in socket.write(bytes) }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func stopReading() async throws { try await loop.submit { [self] in socket.stopReading() } }
    func startReading() async throws { try await loop.submit { [self] in socket.startReading() } }
    func close() async throws { try await loop.submit { [self] in socket.close() } }

    private func wait<T: Sendable>(
        _ body: @escaping @Sendable (TextPeer) -> T?
    ) async -> T {
        await withCheckedContinuation { continuation in
            loop.execute { [self] in
                waiters.append { [self] in
                    guard let value = body(self) else { return false }
                    continuation.resume(returning: value)
                    return true
                }
                serve()
            }
        }
    }

    private func serve() { waiters.removeAll { $0() } }

    /// The next whole answer; nil when the connection ended before it.
    func next() async -> Answer? {
        let answer: Answer?? = await wait { peer in
            if !peer.answers.isEmpty { return .some(peer.answers.removeFirst()) }
            return peer.isClosed ? .some(nil) : nil
        }
        return answer ?? nil
    }

    func ask(_ request: [UInt8]) async throws -> Answer? {
        try await send(request)
        return await next()
    }

    /// The head and what has come of the body of an answer that goes on; nil at the end of the
    /// connection.
    func begun(bodyBytes: Int = 0) async -> Answer? {
        let answer: Answer?? = await wait { peer in
            if let answer = peer.answer, answer.body.count >= bodyBytes { return .some(answer) }
            return peer.isClosed ? .some(nil) : nil
        }
        return answer ?? nil
    }

    /// The next interim status.
    func interim() async -> Int? {
        let status: Int?? = await wait { peer in
            if !peer.interim.isEmpty { return .some(peer.interim.removeFirst()) }
            return peer.isClosed ? .some(nil) : nil
        }
        return status ?? nil
    }

    /// Returns once the server has closed; false when an answer came before that.
    func isClosedWithoutAnswer() async -> Bool { await next() == nil }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        parser.feed(bytes)
        while let event = try? parser.next() {
            switch event {
            case .informational(let head): interim.append(head.status.rawValue)
            case .head(let head):
                answer = Answer(status: head.status.rawValue, headers: head.headers)
            case .body(let bytes): answer?.body += bytes
            case .end:
                if let answer { answers.append(answer) }
                answer = nil
            }
        }
        serve()
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        isClosed = true
        serve()
    }
}
