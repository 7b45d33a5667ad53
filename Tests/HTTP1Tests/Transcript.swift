import HTTP1

/// What a parser said about some bytes, in a form that does not depend on how they were cut.
struct Transcript: Equatable, CustomStringConvertible {
    var lines: [String] = []

    var description: String { lines.joined(separator: "\n") }

    /// Feeds the pieces one after the other and writes every event down.
    init(requests pieces: [[UInt8]], limits: HTTPLimits = HTTPLimits()) {
        var parser = HTTPRequestParser(limits: limits)
        var body: [UInt8] = []
        do throws(HTTPError) {
            for piece in pieces {
                piece.withUnsafeBytes { parser.feed($0) }
                while let event = try parser.next() {
                    switch event {
                    case .head(let head): lines.append(Self.text(head))
                    case .body(let bytes): body += bytes
                    case .end:
                        lines.append("body \(String(decoding: body, as: UTF8.self))")
                        body = []
                    }
                }
            }
            if !body.isEmpty { lines.append("part \(String(decoding: body, as: UTF8.self))") }
        } catch {
            lines.append("error \(error.status.rawValue) \(error.code.rawValue)")
        }
    }

    init(responses pieces: [[UInt8]], to methods: [HTTPMethod], ends: Bool = true) {
        var parser = HTTPResponseParser()
        for method in methods { parser.expect(method) }
        var body: [UInt8] = []
        do throws(HTTPError) {
            for piece in pieces {
                piece.withUnsafeBytes { parser.feed($0) }
                while let event = try parser.next() { add(event, &body) }
            }
            if ends, let event = try parser.finish() { add(event, &body) }
        } catch {
            lines.append("error \(error.code.rawValue)")
        }
    }

    private mutating func add(_ event: HTTPResponseEvent, _ body: inout [UInt8]) {
        switch event {
        case .informational(let head): lines.append("info \(head.status.rawValue)")
        case .head(let head):
            lines.append("\(head.status.rawValue) keepAlive=\(head.keepAlive)")
        case .body(let bytes): body += bytes
        case .end:
            lines.append("body \(String(decoding: body, as: UTF8.self))")
            body = []
        }
    }

    private static func text(_ head: HTTPRequestHead) -> String {
        let fields = (0..<head.headers.count).map { index in
            let field = head.headers.field(at: index)
            return "\(field.name)=\(field.value)"
        }
        return "\(head.method.rawValue) \(head.target) \(head.version.rawValue) "
            + "keepAlive=\(head.keepAlive) length=\(head.contentLength ?? -1) "
            + "chunked=\(head.isChunked) expects=\(head.expectsContinue) "
            + "upgrade=\(head.isUpgrade) [\(fields.joined(separator: "|"))]"
    }
}

/// The text as bytes, with every scalar below 256 as one byte, so that rows can hold raw bytes.
func raw(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8($0.value) }
}

/// A request with one extra header line in a complete frame.
func request(_ line: String) -> [UInt8] {
    raw("POST /a HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n")
}

/// A chunked request with the given bytes behind the head.
func chunked(_ body: String) -> [UInt8] {
    raw("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
}
