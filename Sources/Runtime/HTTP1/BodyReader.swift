/// Decodes one body from the input: by length, chunked (RFC 9112 §7.1) or up to the end of the
/// connection (responses only).
struct BodyReader {
    enum Framing: Equatable { case length(Int), chunked, untilClose }

    private enum State {
        case length(Int), chunkSize, chunkData(Int), chunkEnd, trailers, untilClose, done
    }

    private var state: State
    private var lines = LineReader()
    private var received = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerCount = 0
    private let limits: HTTPLimits
    private let limit: Int

    /// - Parameter limit: most bytes of the body; more throws `.bodyTooLarge`, at once when the
    ///   length is announced.
    init(_ framing: Framing, limits: HTTPLimits, limit: Int) throws(HTTPError) {
        self.limits = limits
        self.limit = limit
        switch framing {
        case .length(let length):
            guard length <= limit else { throw Self.tooLarge }
            state = length == 0 ? .done : .length(length)
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    private static var tooLarge: HTTPError {
        HTTPError(.bodyTooLarge, "the body is larger than allowed")
    }

    var isDone: Bool {
        if case .done = state { true } else { false }
    }

    /// Whether the end of the connection is a proper end of this body.
    var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// Takes what is there. Returns nil when nothing of the body was there; all chunks that
    /// arrived together come out as one piece.
    mutating func read(_ input: inout InputBuffer) throws(HTTPError) -> [UInt8]? {
        switch state {
        case .length(let left):
            guard !input.isEmpty else { return nil }
            let count = min(left, input.count)
            state = count == left ? .done : .length(left - count)
            return input.take(count)
        case .untilClose:
            guard !input.isEmpty else { return nil }
            received += input.count
            guard received <= limit else { throw Self.tooLarge }
            return input.take(input.count)
        case .done: return nil
        default:
            var body: [UInt8] = []
            while try readChunkStep(&input, into: &body) {}
            return body.isEmpty ? nil : body
        }
    }

    /// One line or one run of data; false when more bytes are needed or the body is complete.
    private mutating func readChunkStep(
        _ input: inout InputBuffer, into body: inout [UInt8]
    ) throws(HTTPError) -> Bool {
        switch state {
        case .chunkData(let left):
            guard !input.isEmpty else { return false }
            let count = min(left, input.count)
            input.withBytes { body.append(contentsOf: $0[0..<count]) }
            input.consume(count)
            state = count == left ? .chunkEnd : .chunkData(left - count)
            return true
        case .chunkEnd:
            guard let line = try nextLine(&input, limit: 0) else { return false }
            guard line.isEmpty else {
                throw HTTPError(.malformedFraming, "a chunk is longer than its size")
            }
            state = .chunkSize
            return true
        case .chunkSize:
            let most = Self.sizeDigits + limits.chunkExtensionBytes
            guard let line = try nextLine(&input, limit: most) else { return false }
            try beginChunk(line)
            return true
        case .trailers: return try readTrailer(&input)
        case .length, .untilClose, .done: return false
        }
    }

    private static let sizeDigits = 15

    private mutating func beginChunk(_ line: [UInt8]) throws(HTTPError) {
        var size = 0
        var digits = 0
        while digits < line.count, let digit = ASCII.hexValue(line[digits]) {
            guard digits < Self.sizeDigits else {
                throw HTTPError(.malformedFraming, "a chunk size is too long")
            }
            size = size << 4 | Int(digit)
            digits += 1
        }
        guard digits > 0 else { throw HTTPError(.malformedFraming, "a chunk size is malformed") }
        let ending = line[digits...]
        if !ending.isEmpty {
            extensionBytes += ending.count
            guard ending.first == UInt8(ascii: ";"), ending.allSatisfy({ ASCII.isFieldValue($0) }),
                extensionBytes <= limits.chunkExtensionBytes
            else {
                throw HTTPError(.malformedFraming, "a chunk extension is malformed or too long")
            }
        }
        guard size <= limit - received else { throw Self.tooLarge }
        received += size
        state = size == 0 ? .trailers : .chunkData(size)
    }

    /// Trailer fields are checked like header fields and dropped (RFC 9110 §6.5.1).
    private mutating func readTrailer(_ input: inout InputBuffer) throws(HTTPError) -> Bool {
        let tooMany = HTTPError(.headTooLarge, "the trailer section is too large")
        let left = limits.headBytes - trailerBytes
        guard let line = try nextLine(&input, limit: left, tooLong: tooMany) else { return false }
        guard !line.isEmpty else {
            state = .done
            return false
        }
        trailerBytes += line.count + 2
        trailerCount += 1
        guard trailerBytes <= limits.headBytes, trailerCount <= limits.fields else { throw tooMany }
        _ = try line.withUnsafeBufferPointer { bytes throws(HTTPError) in
            try FieldParser.parse(0..<bytes.count, of: bytes)
        }
        return true
    }

    /// Takes one line of at most `limit` bytes, CRLF not counted.
    private mutating func nextLine(
        _ input: inout InputBuffer, limit: Int,
        tooLong: HTTPError = HTTPError(.malformedFraming, "a chunk line is too long")
    ) throws(HTTPError) -> [UInt8]? {
        let found = try input.withBytes { bytes throws(HTTPError) -> (line: [UInt8], end: Int)? in
            // Longer than this, the line is too long however it may end.
            let window = UnsafeBufferPointer(rebasing: bytes[0..<min(bytes.count, limit + 2)])
            guard let line = try lines.next(in: window) else {
                if bytes.count >= limit + 2 { throw tooLong }
                return nil
            }
            return (Array(bytes[line]), lines.lineStart)
        }
        guard let found else { return nil }
        input.consume(found.end)
        lines = LineReader()
        return found.line
    }
}
