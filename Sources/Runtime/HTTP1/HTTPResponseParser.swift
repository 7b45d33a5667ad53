/// One event of a response.
public enum HTTPResponseEvent: Sendable {
    /// A 1xx response other than 101; the final one follows.
    case informational(HTTPResponseHead)
    case head(HTTPResponseHead)
    case body([UInt8])
    case end
}

/// Reads HTTP/1.x responses from bytes: the client half, for tests and tools. Call `expect` for
/// every request that was sent, in order.
public struct HTTPResponseParser: Sendable {
    private enum State { case head(HeadReader, StatusLine?), body(BodyReader), end, finished }

    private struct StatusLine {
        let status: HTTPStatus
        let version: HTTPVersion

        /// `HTTP/1.1 200 OK` (RFC 9112 §4).
        init(_ line: UnsafeBufferPointer<UInt8>) throws(HTTPError) {
            guard line.count >= 12, line[8] == ASCII.space,
                line.count == 12 || line[12] == ASCII.space,
                line[9..<12].allSatisfy({ ASCII.isDigit($0) }), line[9] != UInt8(ascii: "0")
            else { throw HTTPError(.malformedStartLine, "the status line is malformed") }
            version = try HTTPVersion(parsing: UnsafeBufferPointer(rebasing: line[0..<8]))
            let code = line[9..<12].reduce(0) { $0 * 10 + Int($1 - 48) }
            status = HTTPStatus(rawValue: code)
        }
    }

    private let limits: HTTPLimits
    private var methods: [HTTPMethod] = []
    private var state = State.head(HeadReader(), nil)
    private var input = InputBuffer()
    private var keepAlive = true

    public init(limits: HTTPLimits = HTTPLimits(bodyBytes: 64 * 1024 * 1024)) {
        self.limits = limits
    }

    /// Says that a request of this method was sent; without it a response is taken as one to GET.
    public mutating func expect(_ method: HTTPMethod) { methods.append(method) }

    public mutating func feed(_ bytes: UnsafeRawBufferPointer) { input.append(bytes) }

    /// The next event; nil when more bytes are needed.
    public mutating func next() throws(HTTPError) -> HTTPResponseEvent? {
        switch state {
        case .head(let reader, let line):
            guard !input.isEmpty else { return nil }
            return try readHead(reader, line)
        case .body(var reader):
            let bytes = try reader.read(&input)
            state = reader.isDone ? .end : .body(reader)
            if let bytes { return .body(bytes) }
            return reader.isDone ? try next() : nil
        case .end:
            state = keepAlive ? .head(HeadReader(), nil) : .finished
            return .end
        case .finished: return nil
        }
    }

    /// The connection ended. Returns `.end` when that ends the body, nil between responses; throws
    /// `.truncated` in the middle of one.
    public mutating func finish() throws(HTTPError) -> HTTPResponseEvent? {
        switch state {
        case .head where input.isEmpty, .finished:
            state = .finished
            return nil
        case .body(let reader) where reader.endsWithConnection:
            state = .finished
            return .end
        default: throw HTTPError(.truncated, "the connection ended inside a response")
        }
    }

    /// The bytes behind a 101 response.
    public mutating func takeRemaining() -> [UInt8] {
        state = .finished
        return input.take(input.count)
    }

    private mutating func readHead(
        _ reader: HeadReader, _ line: StatusLine?
    ) throws(HTTPError) -> HTTPResponseEvent? {
        var reader = reader
        var line = line
        let limits = limits
        let length = try input.withBytes { bytes throws(HTTPError) -> Int? in
            try reader.read(bytes, limits: limits, startLineBytes: nil) { range throws(HTTPError) in
                line = try StatusLine(UnsafeBufferPointer(rebasing: bytes[range]))
            }
        }
        guard let length, let line else {
            state = .head(reader, line)
            return nil
        }
        let headers = HTTPHeaders(storage: input.take(length), fields: reader.fields)
        let closes = headers.hasToken("close", in: "connection")
        let persists = headers.hasToken("keep-alive", in: "connection")
        keepAlive = !closes && (line.version == .http11 || persists)
        if line.status.rawValue < 200 && line.status != .switchingProtocols {
            state = .head(HeadReader(), nil)
            return .informational(
                HTTPResponseHead(
                    status: line.status, version: line.version, headers: headers, keepAlive: true))
        }
        let method = methods.isEmpty ? HTTPMethod.get : methods.removeFirst()
        let framing = try Self.framing(headers, line.status, method)
        if framing == .untilClose { keepAlive = false }
        state = .body(try BodyReader(framing, limits: limits, limit: limits.bodyBytes))
        return .head(
            HTTPResponseHead(
                status: line.status, version: line.version, headers: headers, keepAlive: keepAlive))
    }

    /// RFC 9112 §6.3, items 1 to 8.
    private static func framing(
        _ headers: HTTPHeaders, _ status: HTTPStatus, _ method: HTTPMethod
    ) throws(HTTPError) -> BodyReader.Framing {
        if method == .head || status.forbidsBody { return .length(0) }
        let codings = headers.all("transfer-encoding")
        let lengths = headers.all("content-length")
        guard codings.count + lengths.count <= 1 else {
            throw HTTPError(.malformedFraming, "the response is framed in two ways")
        }
        if let coding = codings.first {
            try Array(coding.utf8).withUnsafeBufferPointer { bytes throws(HTTPError) in
                try RequestFraming.checkTransferEncoding(0..<bytes.count, of: bytes)
            }
            return .chunked
        }
        guard let length = lengths.first else { return .untilClose }
        return .length(
            try Array(length.utf8).withUnsafeBufferPointer { bytes throws(HTTPError) in
                try RequestFraming.contentLength(0..<bytes.count, of: bytes)
            })
    }
}
