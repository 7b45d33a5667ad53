/// Collects the lines of a head: a start line and fields up to the empty line.
struct HeadReader {
    private var lines = LineReader()
    private(set) var startLine: Range<Int>?
    private(set) var fields: [HTTPHeaders.Field] = []
    private var sawEmptyLine = false

    /// Reads as many lines as there are. Returns the length of the head in bytes when complete.
    /// - Parameters:
    ///   - startLineBytes: longest start line, else 414; nil when only `headBytes` bounds it.
    ///   - onStartLine: checks the start line as soon as it is there, before any field.
    mutating func read(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: HTTPLimits, startLineBytes: Int?,
        onStartLine: (Range<Int>) throws(HTTPError) -> Void
    ) throws(HTTPError) -> Int? {
        while true {
            // Only this much is looked at, so that one byte at a time gives the same answer.
            let startLineEnd = lines.lineStart + (startLineBytes ?? limits.headBytes) + 2
            let window = min(limits.headBytes, startLine == nil ? startLineEnd : Int.max)
            let visible = UnsafeBufferPointer(rebasing: bytes[..<min(bytes.count, window)])
            guard let line = try lines.next(in: visible) else {
                guard bytes.count >= window else { return nil }
                guard window == limits.headBytes else {
                    throw HTTPError(.targetTooLong, "the request target is too long")
                }
                throw HTTPError(.headTooLarge, "the header section is too large")
            }
            if startLine == nil {
                if line.isEmpty && !sawEmptyLine {
                    // RFC 9112 §2.2: one CRLF in front of a start line is ignored.
                    sawEmptyLine = true
                    continue
                }
                try onStartLine(line)
                startLine = line
            } else if line.isEmpty {
                return lines.lineStart
            } else {
                guard fields.count < limits.fields else {
                    throw HTTPError(.headTooLarge, "there are too many header fields")
                }
                fields.append(try FieldParser.parse(line, of: bytes))
            }
        }
    }
}
