/// What the fields say about the body and the connection, decided in one pass and strictly, since
/// every leniency here is a way to smuggle a request (RFC 9112 §6, §9.3, §11.2).
struct RequestFraming {
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var expectsContinue = false
    private(set) var keepAlive: Bool
    private(set) var isUpgrade = false
    private(set) var host: Range<Int>?

    init(
        _ fields: [HTTPHeaders.Field], of bytes: UnsafeBufferPointer<UInt8>, version: HTTPVersion
    ) throws(HTTPError) {
        var hasUpgrade = false
        var connectionUpgrade = false
        var connectionClose = false
        var connectionKeepAlive = false
        for field in fields {
            let name = UnsafeBufferPointer(rebasing: bytes[field.name])
            switch name.count {
            case 4 where ASCII.equalIgnoringCase(name, "host"):
                guard host == nil else { throw HTTPError(.malformedHost, "Host is repeated") }
                try Self.checkHost(field.value, of: bytes)
                host = field.value
            case 6 where ASCII.equalIgnoringCase(name, "expect"):
                expectsContinue = ASCII.equalIgnoringCase(
                    UnsafeBufferPointer(rebasing: bytes[field.value]), "100-continue")
            case 7 where ASCII.equalIgnoringCase(name, "upgrade"):
                hasUpgrade = !field.value.isEmpty
            case 10 where ASCII.equalIgnoringCase(name, "connection"):
                for member in HTTPHeaders.members(of: field.value, in: bytes) {
                    let token = UnsafeBufferPointer(rebasing: bytes[member])
                    connectionClose = connectionClose || ASCII.equalIgnoringCase(token, "close")
                    connectionKeepAlive =
                        connectionKeepAlive || ASCII.equalIgnoringCase(token, "keep-alive")
                    connectionUpgrade =
                        connectionUpgrade || ASCII.equalIgnoringCase(token, "upgrade")
                }
            case 14 where ASCII.equalIgnoringCase(name, "content-length"):
                guard contentLength == nil else {
                    throw HTTPError(.malformedFraming, "Content-Length is repeated")
                }
                contentLength = try Self.contentLength(field.value, of: bytes)
            case 17 where ASCII.equalIgnoringCase(name, "transfer-encoding"):
                guard !isChunked else {
                    throw HTTPError(.malformedFraming, "Transfer-Encoding is repeated")
                }
                try Self.checkTransferEncoding(field.value, of: bytes)
                isChunked = true
            default: break
            }
        }
        guard !(isChunked && contentLength != nil) else {
            throw HTTPError(
                .malformedFraming, "Transfer-Encoding and Content-Length must not come together")
        }
        guard !(isChunked && version == .http10) else {
            throw HTTPError(.malformedFraming, "Transfer-Encoding does not exist in HTTP/1.0")
        }
        guard host != nil || version == .http10 else {
            throw HTTPError(.malformedHost, "Host is missing")
        }
        isUpgrade = hasUpgrade && connectionUpgrade && version == .http11
        expectsContinue =
            expectsContinue && version == .http11 && (isChunked || (contentLength ?? 0) > 0)
        keepAlive = !connectionClose && (version == .http11 || connectionKeepAlive)
    }

    /// Digits only, one value, at most 18 of them so that it always fits (RFC 9110 §8.6).
    static func contentLength(
        _ range: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPError) -> Int {
        guard (1...18).contains(range.count) else {
            throw HTTPError(.malformedFraming, "Content-Length is malformed")
        }
        var length = 0
        for index in range {
            guard ASCII.isDigit(bytes[index]) else {
                throw HTTPError(.malformedFraming, "Content-Length is malformed")
            }
            length = length * 10 + Int(bytes[index] - 48)
        }
        return length
    }

    /// Only `chunked`; another well-formed coding is 501, anything else 400 (RFC 9112 §6.1).
    static func checkTransferEncoding(
        _ range: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPError) {
        let value = UnsafeBufferPointer(rebasing: bytes[range])
        if ASCII.equalIgnoringCase(value, "chunked") { return }
        guard !value.isEmpty, value.allSatisfy({ ASCII.isToken($0) }) else {
            throw HTTPError(.malformedFraming, "Transfer-Encoding must be exactly chunked")
        }
        throw HTTPError(.unsupportedTransferCoding, "only the chunked transfer coding is known")
    }

    /// A host name or address with an optional port; no user info, no list (RFC 9110 §7.2).
    private static func checkHost(
        _ range: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPError) {
        let isValid =
            !range.isEmpty
            && range.allSatisfy { index in
                let byte = bytes[index]
                if ASCII.isAlpha(byte) || ASCII.isDigit(byte) { return true }
                switch byte {
                case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
                    UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                    return true
                default: return false
                }
            }
        guard isValid else { throw HTTPError(.malformedHost, "Host is malformed") }
    }
}
