import Glibc

/// Finds CRLF-ended lines in bytes that arrive in pieces, without scanning a byte twice. A line
/// feed without its carriage return is an error, not a line end (RFC 9112 §2.2).
struct LineReader {
    private(set) var lineStart = 0
    private var scanned = 0

    /// The next whole line without its CRLF; nil when more bytes are needed. `lineStart` is then
    /// the beginning of the unfinished line.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>) throws(HTTPError) -> Range<Int>? {
        guard scanned < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + scanned, Int32(ASCII.lf), bytes.count - scanned)
        else {
            scanned = bytes.count
            return nil
        }
        let lineFeed = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        guard lineFeed > lineStart, bytes[lineFeed - 1] == ASCII.cr else {
            throw HTTPError(.malformedFraming, "a line ends without a carriage return")
        }
        let line = lineStart..<(lineFeed - 1)
        lineStart = lineFeed + 1
        scanned = lineStart
        return line
    }
}
