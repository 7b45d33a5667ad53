/// One event of a request.
public enum HTTPRequestEvent: Sendable {
    case head(HTTPRequestHead)
    /// A piece of the body, never empty, chunk coding removed.
    case body([UInt8])
    /// The request is complete; its trailer fields, if any, were dropped.
    case end
}

/// Reads HTTP/1.x requests from bytes, without I/O, refusing everything that RFC 9112 leaves
/// ambiguous (§2.2, §3, §5, §6, §7, §11.2; attacks in edge.md §5).
///
/// Feed what the socket gave, then ask `next()` until it returns nil. Pipelined requests wait in
/// the parser: do not ask further after `.end` before the answer is written, and stop reading the
/// socket while `bufferedBytes` is large.
public struct HTTPRequestParser: Sendable {
    private enum State {
        case head(HeadReader, RequestLine?)
        case beginBody(BodyReader.Framing)
        case body(BodyReader)
        case end
        case finished
        case failed(HTTPError)
    }

    public let limits: HTTPLimits
    /// Most bytes of the current body. `limits.bodyBytes` again for every request; may be changed
    /// between `.head` and the following `next()`, for a limit per route.
    public var bodyLimit: Int
    private var state = State.head(HeadReader(), nil)
    private var input = InputBuffer()
    private var keepAlive = true

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        bodyLimit = limits.bodyBytes
    }

    /// Bytes that arrived and were not consumed yet.
    public var bufferedBytes: Int { input.count }

    /// Whether no request has begun: the connection is idle and may be closed without loss.
    public var isIdle: Bool {
        guard input.isEmpty, case .head = state else { return false }
        return true
    }

    /// Appends bytes of the peer; they are copied. After a request that ends the connection they
    /// are dropped.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .finished, .failed: return
        default: input.append(bytes)
        }
    }

    /// The next event; nil when more bytes are needed or the connection takes no more requests.
    /// Throws the error to answer before closing, and the same one again when asked again.
    public mutating func next() throws(HTTPError) -> HTTPRequestEvent? {
        do throws(HTTPError) {
            return try step()
        } catch {
            state = .failed(error)
            input.clear()
            throw error
        }
    }

    /// The bytes behind the head or the request, for the protocol that follows an upgrade. The
    /// parser reads nothing afterwards.
    public mutating func takeRemaining() -> [UInt8] {
        state = .finished
        return input.take(input.count)
    }

    private mutating func step() throws(HTTPError) -> HTTPRequestEvent? {
        switch state {
        case .head(let reader, let line):
            guard !input.isEmpty else { return nil }
            // The state gives its copy up, so that the reader's array is appended in place.
            state = .finished
            return try readHead(reader, line)
        case .beginBody(let framing):
            state = .body(try BodyReader(framing, limits: limits, limit: bodyLimit))
            return try step()
        case .body(var reader):
            state = .finished
            let bytes = try reader.read(&input)
            state = reader.isDone ? .end : .body(reader)
            if let bytes { return .body(bytes) }
            return reader.isDone ? try step() : nil
        case .end:
            bodyLimit = limits.bodyBytes
            state = keepAlive ? .head(HeadReader(), nil) : .finished
            if !keepAlive { input.clear() }
            return .end
        case .finished: return nil
        case .failed(let error): throw error
        }
    }

    private mutating func readHead(
        _ reader: consuming HeadReader, _ line: RequestLine?
    ) throws(HTTPError) -> HTTPRequestEvent? {
        var reader = reader
        var line = line
        let limits = limits
        let length = try input.withBytes { bytes throws(HTTPError) -> Int? in
            try reader.read(
                bytes, limits: limits, startLineBytes: limits.targetBytes + RequestLine.overhead
            ) { range throws(HTTPError) in
                line = try RequestLine(range, of: bytes, limits: limits)
            }
        }
        guard let length, let line else {
            state = .head(reader, line)
            return nil
        }
        let storage = input.take(length)
        let framing = try storage.withUnsafeBufferPointer { bytes throws(HTTPError) in
            let framing = try RequestFraming(reader.fields, of: bytes, version: line.version)
            if let authority = line.authority { try Self.check(authority, framing.host, bytes) }
            return framing
        }
        keepAlive = framing.keepAlive
        state =
            framing.isChunked
            ? .beginBody(.chunked) : .beginBody(.length(framing.contentLength ?? 0))
        return .head(
            HTTPRequestHead(
                method: line.method, version: line.version,
                headers: HTTPHeaders(storage: storage, fields: reader.fields),
                keepAlive: framing.keepAlive, contentLength: framing.contentLength,
                isChunked: framing.isChunked, expectsContinue: framing.expectsContinue,
                isUpgrade: framing.isUpgrade, targetRange: line.target, pathRange: line.path,
                queryRange: line.query))
    }

    /// RFC 9112 §3.2.2 lets the target win over Host; two different ones are an attack here.
    private static func check(
        _ authority: Range<Int>, _ host: Range<Int>?, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPError) {
        let agrees =
            host.map { host in
                host.count == authority.count
                    && zip(host, authority).allSatisfy {
                        ASCII.lowered(bytes[$0]) == ASCII.lowered(bytes[$1])
                    }
            } ?? false
        guard agrees else {
            throw HTTPError(.malformedHost, "Host differs from the request target")
        }
    }
}
