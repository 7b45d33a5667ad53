import HTTP1
import WebSocket

extension FuzzTarget {
    static let http1Request = FuzzTarget("http1-request") { input in
        let seed = input.byte()
        var limits = HTTPLimits()
        if seed & 1 != 0 {
            limits.headBytes = 256
            limits.fields = 5
            limits.targetBytes = 32
            limits.bodyBytes = 64
            limits.chunkExtensionBytes = 8
        }
        let whole = requests([Piece(input.rest)], limits)
        let parts = requests(input.pieces(seed), limits)
        try require(whole == parts, "the cut matters:\n\(whole)\n\(parts)")
        for line in whole where line.hasPrefix("body ") {
            try require(line.utf8.count - 5 <= limits.bodyBytes * 3, "above the limit")
        }
    }

    private static func requests(_ pieces: [Piece], _ limits: HTTPLimits) -> [String] {
        var parser = HTTPRequestParser(limits: limits)
        var lines: [String] = []
        var body: [UInt8] = []
        do throws(HTTPError) {
            for piece in pieces {
                parser.feed(piece.bytes)
                while let event = try parser.next() {
                    switch event {
                    case .head(let head): lines.append(describe(head))
                    case .body(let bytes): body += bytes
                    case .end:
                        lines.append("body \(String(decoding: body, as: UTF8.self))")
                        body = []
                    }
                }
            }
            lines.append("part \(body) idle \(parser.isIdle)")
        } catch {
            lines.append("error \(error.status.rawValue) \(error.code.rawValue)")
        }
        return lines
    }

    /// Everything that the edge asks of a head.
    private static func describe(_ head: HTTPRequestHead) -> String {
        var parts = [
            "\(head.method.rawValue) \(head.target) \(head.version.rawValue) \(head.keepAlive)",
            "\(head.contentLength ?? -1) \(head.isChunked) \(head.expectsContinue)",
            "\(head.isUpgrade) \(head.headers.hasToken("upgrade", in: "connection"))",
        ]
        for index in 0..<head.headers.count { parts.append("\(head.headers.field(at: index))") }
        parts.append("\((try? head.pathSegments()) ?? ["?"])")
        parts.append("\(((try? head.queryItems()) ?? []).map { "\($0.name)=\($0.value)" })")
        return parts.joined(separator: " ")
    }

    static let http1Response = FuzzTarget("http1-response") { input in
        let seed = input.byte()
        let whole = responses([Piece(input.rest)], seed)
        let parts = responses(input.pieces(seed), seed)
        try require(whole == parts, "the cut matters:\n\(whole)\n\(parts)")
    }

    private static func responses(_ pieces: [Piece], _ seed: UInt8) -> [String] {
        var parser = HTTPResponseParser(limits: HTTPLimits(bodyBytes: 4096))
        if seed & 2 != 0 { parser.expect(.head) }
        var lines: [String] = []
        var body: [UInt8] = []
        func note(_ event: HTTPResponseEvent) {
            switch event {
            case .informational(let head): lines.append("info \(head.status.rawValue)")
            case .head(let head): lines.append("\(head.status.rawValue) \(head.keepAlive)")
            case .body(let bytes): body += bytes
            case .end:
                lines.append("body \(body)")
                body = []
            }
        }
        do throws(HTTPError) {
            for piece in pieces {
                parser.feed(piece.bytes)
                while let event = try parser.next() { note(event) }
            }
            if let event = try parser.finish() { note(event) }
        } catch {
            lines.append("error \(error.code.rawValue)")
        }
        return lines
    }

    static let webSocket = FuzzTarget("websocket") { input in
        let seed = input.byte()
        let role: WebSocketFrameParser.Role = seed & 1 == 0 ? .server : .client
        let limit = seed & 2 == 0 ? 4096 : 16
        let (whole, failure) = frames([Piece(input.rest)], role, limit)
        let (parts, other) = frames(input.pieces(seed), role, limit)
        try require(whole == parts && failure == other, "the cut matters")
        var again: [UInt8] = []
        for event in whole {
            let mask: UInt32? = role == .server ? 0x37FA_213D : nil
            switch event {
            case .text(let bytes):
                try require(bytes.count <= limit, "above the limit")
                try require(String(validating: bytes, as: UTF8.self) != nil, "not UTF-8")
                again += WebSocketFrameEncoder.text(bytes, mask: mask)
            case .binary(let bytes):
                try require(bytes.count <= limit, "above the limit")
                again += WebSocketFrameEncoder.binary(bytes, mask: mask)
            case .ping(let bytes): again += WebSocketFrameEncoder.ping(bytes, mask: mask)
            case .pong(let bytes): again += WebSocketFrameEncoder.pong(bytes, mask: mask)
            case .close(let code, let reason):
                again += WebSocketFrameEncoder.close(code, reason: reason, mask: mask)
            }
        }
        let (back, problem) = again.withUnsafeBytes { frames([Piece($0)], role, limit) }
        try require(back == whole && problem == nil, "what was read does not come back")
    }

    private static func frames(
        _ pieces: [Piece], _ role: WebSocketFrameParser.Role, _ limit: Int
    ) -> ([WebSocketEvent], WebSocketCloseCode?) {
        var parser = WebSocketFrameParser(role: role, maxMessageBytes: limit)
        var events: [WebSocketEvent] = []
        do throws(WebSocketError) {
            for piece in pieces {
                parser.feed(piece.bytes)
                while let event = try parser.next() { events.append(event) }
            }
            return (events, nil)
        } catch {
            return (events, error.closeCode)
        }
    }
}
