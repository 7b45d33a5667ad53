import WebSocket

/// What a parser said about some bytes, in a form that does not depend on how they were cut.
func transcript(
    _ pieces: [[UInt8]], role: WebSocketFrameParser.Role = .server, limit: Int = 4096
) -> [String] {
    var parser = WebSocketFrameParser(role: role, maxMessageBytes: limit)
    var lines: [String] = []
    do throws(WebSocketError) {
        for piece in pieces {
            piece.withUnsafeBytes { parser.feed($0) }
            while let event = try parser.next() { lines.append(text(event)) }
        }
    } catch {
        lines.append("error \(error.closeCode.rawValue)")
    }
    return lines
}

private func text(_ event: WebSocketEvent) -> String {
    switch event {
    case .text(let bytes): "text \(String(decoding: bytes, as: UTF8.self))"
    case .binary(let bytes): "binary \(bytes)"
    case .ping(let bytes): "ping \(bytes)"
    case .pong(let bytes): "pong \(bytes)"
    case .close(let code, let reason): "close \(code?.rawValue ?? 0) \(reason)"
    }
}

/// A key whose four bytes differ, so that a wrong rotation shows.
let testMask: UInt32 = 0x37FA_213D

/// A frame of a client with any first byte, to break the rules with.
func masked(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var bytes = WebSocketFrameEncoder.frame(.binary, payload, mask: testMask)
    bytes[0] = first
    return bytes
}

struct FrameRow: Sendable {
    let name: String
    let bytes: [UInt8]
    let expected: [String]

    init(_ name: String, _ bytes: [UInt8], _ expected: [String]) {
        self.name = name
        self.bytes = bytes
        self.expected = expected
    }
}
