import HTTP2
import Loop

/// An HTTP/2 peer under the test's control: says what a gRPC library would not say.
final class RawPeer: StreamSocketHandler, HTTP2SessionHandler, @unchecked Sendable {
    // Confined to the socket's loop.

    final class Stream: HTTP2Stream, @unchecked Sendable {
        var fields: [String: String] = [:]
        var body: [UInt8] = []
        var onClose: (@Sendable (Answer) -> Void)?
        var onEnd: ((Stream) -> Void)?
        private var headerBlocks = 0

        override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
            headerBlocks += 1
            for index in 0..<block.count {
                fields[String(decoding: block.name(index), as: UTF8.self)] =
                    String(decoding: block.value(index), as: UTF8.self)
            }
        }

        override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
            body += bytes
            consume(bytes.count)
        }

        override func didReceiveEnd() { onEnd?(self) }

        override func didClose(_ code: HTTP2Code) {
            onClose?(Answer(fields: fields, body: body, headerBlocks: headerBlocks, code: code))
        }
    }

    struct Answer: Sendable {
        var fields: [String: String]
        var body: [UInt8]
        var headerBlocks: Int
        var code: HTTP2Code

        var status: String? { fields["grpc-status"] }
    }

    let socket: StreamSocket
    private(set) var session: HTTP2Session?
    /// Server: what to do with the n-th stream once the request has ended.
    var onRequest: ((Int, Stream) -> Void)?
    private var count = 0
    private var streams: [Stream] = []
    /// Streams that are open; a client's only when their request waits for its end.
    var openStreams: [Stream] { streams.filter { $0.session != nil } }

    init(
        _ socket: StreamSocket, _ role: HTTP2Session.Role,
        _ configuration: HTTP2Configuration = HTTP2Configuration()
    ) throws {
        self.socket = socket
        session = try HTTP2Session(role: role, configuration: configuration, handler: self)
        socket.setHandler(self)
        session?.start()
        socket.startReading()
    }

    static func connect(to address: SocketAddress, on loop: EventLoop) async throws -> RawPeer {
        let socket = try await StreamSocket.connect(to: address, on: loop)
        return try await loop.submit { try RawPeer(socket, .client) }
    }

    /// Sends a request and waits for the end of its stream.
    /// - Parameter ends: whether the request ends behind the last piece, or by `endRequests`.
    func request(
        path: String = "/test.T/Unary", extra: [(String, String)] = [], method: String = "POST",
        contentType: String? = "application/grpc", pieces: [[UInt8]] = [[0, 0, 0, 0, 1, 7]],
        ends: Bool = true
    ) async throws -> Answer {
        await withCheckedContinuation { continuation in
            socket.loop.execute { [self] in
                let fields = HTTP2Fields()
                for (name, value) in [
                    (":method", method), (":scheme", "http"), (":path", path),
                    (":authority", "x"), ("te", "trailers"),
                ] { fields.append(name, value) }
                if let contentType { fields.append("content-type", contentType) }
                for (name, value) in extra { fields.append(name, value) }
                let stream = Stream()
                stream.onClose = { continuation.resume(returning: $0) }
                try? session?.request(stream, fields)
                if !ends { streams.append(stream) }
                send(pieces[...], on: stream, ends: ends)
            }
        }
    }

    /// Each piece in a DATA frame of its own: one per turn of the loop.
    private func send(_ pieces: ArraySlice<[UInt8]>, on stream: Stream, ends: Bool) {
        guard let piece = pieces.first else {
            if ends { stream.endBody(trailers: nil) }
            return
        }
        _ = piece.withUnsafeBytes { stream.write($0) }
        _ = socket.loop.schedule(after: .milliseconds(2)) { [self] in
            if stream.session != nil { send(pieces.dropFirst(), on: stream, ends: ends) }
        }
    }

    /// Client: ends the requests that wait for it.
    func endRequests() async throws {
        try await socket.loop.submit { [self] in
            for stream in openStreams { stream.endBody(trailers: nil) }
        }
    }

    /// Server: a response of headers, these bytes and an OK.
    func answer(_ stream: Stream, encoding: String?, body: [UInt8]) {
        let headers = HTTP2Fields()
        headers.append(":status", "200")
        headers.append("content-type", "application/grpc")
        if let encoding { headers.append("grpc-encoding", encoding) }
        let trailers = HTTP2Fields()
        trailers.append("grpc-status", "0")
        session?.respond(stream, headers)
        _ = body.withUnsafeBytes { stream.write($0) }
        stream.endBody(trailers: trailers)
    }

    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? {
        let stream = Stream()
        streams.append(stream)
        let number = count
        count += 1
        stream.onEnd = { [self] in onRequest?(number, $0) }
        return stream
    }

    func sessionWantsFlush(_ session: HTTP2Session) {
        socket.loop.atTurnEnd { self.flush() }
    }

    /// Server: GOAWAY as if no stream above `lastStream` had been seen. The session itself knows
    /// nothing of it.
    func goaway(lastStream: UInt8, code: UInt8 = 0, debug: String = "") {
        flush()
        let length = 8 + UInt8(debug.utf8.count)
        let head: [UInt8] = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, lastStream, 0, 0, 0, code]
        socket.write(head + Array(debug.utf8))
    }

    func flush() {
        while (try? session?.flush { socket.write($0) }) == true {}
    }

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) { try? session?.receive(bytes) }
    func socketDidEnd() { socket.close() }
    func socketDidDrain() { flush() }
    func socketDidClose(_ error: (any Error)?) {
        let session = session
        self.session = nil
        session?.abandon(.internalError)
    }
}
