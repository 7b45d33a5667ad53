/// The protocol version of a message; everything else answers 505 (RFC 9110 §15.6.6).
public enum HTTPVersion: String, Sendable, Hashable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"

    /// Exactly `HTTP/` DIGIT `.` DIGIT (RFC 9112 §2.3); 400 when malformed, 505 when unknown.
    init(parsing bytes: UnsafeBufferPointer<UInt8>) throws(HTTPError) {
        guard bytes.count == 8, ASCII.equal(UnsafeBufferPointer(rebasing: bytes[0..<5]), "HTTP/"),
            ASCII.isDigit(bytes[5]), bytes[6] == UInt8(ascii: "."), ASCII.isDigit(bytes[7])
        else { throw HTTPError(.malformedStartLine, "the HTTP version is malformed") }
        switch (bytes[5], bytes[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): self = .http11
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): self = .http10
        default: throw HTTPError(.unsupportedVersion, "only HTTP/1.0 and HTTP/1.1 are served here")
        }
    }
}
