/// Writes the one response to one request. It alone decides the framing, from what the client
/// speaks (RFC 9112 §6): Content-Length when the body is known, chunks for HTTP/1.1 streams, the
/// end of the connection for HTTP/1.0 streams, nothing for HEAD, 1xx, 204 and 304.
public struct HTTPResponseEncoder: Sendable {
    private enum Stream { case none, dropped, chunked, raw }

    private let isHead: Bool
    private let version: HTTPVersion
    /// Whether the connection stays open behind this response; written as `Connection`. Set it to
    /// false before encoding to end the connection.
    public var keepAlive: Bool
    private var stream = Stream.none

    public init(for request: HTTPRequestHead) {
        self.init(method: request.method, version: request.version, keepAlive: request.keepAlive)
    }

    public init(method: HTTPMethod, version: HTTPVersion, keepAlive: Bool) {
        isHead = method == .head
        self.version = version
        self.keepAlive = keepAlive
    }

    /// For the answer to bytes that were no request: GET, HTTP/1.1, close.
    public static var forBrokenRequest: HTTPResponseEncoder {
        HTTPResponseEncoder(method: .get, version: .http11, keepAlive: false)
    }

    /// The interim answer to `HTTPRequestHead.expectsContinue`.
    public static let continueResponse = [UInt8]("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The whole response. `date` is the Date value (RFC 9110 §5.6.7), formatted by the caller once
    /// a second; an empty one writes no Date field.
    public func encode(_ response: HTTPResponse, date: String) -> [UInt8] {
        var out = head(response.status, response.headers, date, extra: response.body.count)
        if !response.status.forbidsBody {
            out.append(ascii: "content-length: ")
            out.append(ascii: String(response.body.count))
            out.append(ascii: "\r\n\r\n")
            if !isHead { out.append(contentsOf: response.body) }
        } else {
            out.append(ascii: "\r\n")
        }
        return out
    }

    /// The head of a response whose body follows in pieces. HTTP/1.0 cannot be told the end, so
    /// `keepAlive` becomes false there.
    public mutating func beginStream(
        _ status: HTTPStatus, _ headers: HTTPHeaders, date: String
    ) -> [UInt8] {
        let forbidsBody = status.forbidsBody
        if version == .http10 && !isHead && !forbidsBody { keepAlive = false }
        stream = isHead || forbidsBody ? .dropped : version == .http11 ? .chunked : .raw
        var out = head(status, headers, date, extra: 0)
        if !forbidsBody && version == .http11 {
            out.append(ascii: "transfer-encoding: chunked\r\n")
        }
        out.append(ascii: "\r\n")
        return out
    }

    /// One piece of a streamed body; nothing for an empty one, which would end the body.
    public func chunk(_ bytes: [UInt8]) -> [UInt8] {
        precondition(stream != .none, "chunk() before beginStream()")
        guard !bytes.isEmpty, stream != .dropped else { return [] }
        guard stream == .chunked else { return bytes }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 20)
        out.append(ascii: String(bytes.count, radix: 16))
        out.append(ascii: "\r\n")
        out.append(contentsOf: bytes)
        out.append(ascii: "\r\n")
        return out
    }

    /// The end of a streamed body. Not sending it and closing tells the client that it failed.
    public mutating func endStream() -> [UInt8] {
        precondition(stream != .none, "endStream() before beginStream()")
        defer { stream = .dropped }
        return stream == .chunked ? [UInt8]("0\r\n\r\n".utf8) : []
    }

    private func head(
        _ status: HTTPStatus, _ headers: HTTPHeaders, _ date: String, extra: Int
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(160 + headers.count * 8 + headers.storage.count + extra)
        out.append(ascii: "HTTP/1.1 ")
        out.append(ascii: String(status.rawValue))
        out.append(ASCII.space)
        out.append(ascii: status.reason)
        out.append(ascii: "\r\n")
        headers.storage.withUnsafeBufferPointer { bytes in
            for (index, field) in headers.fields.enumerated()
            where !Self.isFraming(headers, index) {
                out.append(contentsOf: bytes[field.name])
                out.append(ascii: ": ")
                out.append(contentsOf: bytes[field.value])
                out.append(ascii: "\r\n")
            }
        }
        if !date.isEmpty && date.utf8.allSatisfy({ ASCII.isFieldValue($0) }) {
            out.append(ascii: "date: ")
            out.append(ascii: date)
            out.append(ascii: "\r\n")
        }
        switch (status, keepAlive, version) {
        case (.switchingProtocols, _, _), (.upgradeRequired, true, _):
            // RFC 9110 §7.8: Upgrade never goes without naming it in Connection.
            out.append(ascii: "connection: upgrade\r\n")
        case (.upgradeRequired, false, _): out.append(ascii: "connection: upgrade, close\r\n")
        case (_, false, _): out.append(ascii: "connection: close\r\n")
        case (_, true, .http10): out.append(ascii: "connection: keep-alive\r\n")
        case (_, true, .http11): break
        }
        return out
    }

    private static func isFraming(_ headers: HTTPHeaders, _ index: Int) -> Bool {
        switch headers.fields[index].nameCount {
        case 4: headers.isNamed(index, "date")
        case 10: headers.isNamed(index, "connection") || headers.isNamed(index, "keep-alive")
        case 14: headers.isNamed(index, "content-length")
        case 17: headers.isNamed(index, "transfer-encoding")
        default: false
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(ascii text: String) {
        append(contentsOf: text.utf8)
    }
}
