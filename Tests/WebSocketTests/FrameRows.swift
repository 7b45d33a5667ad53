import Testing
import WebSocket

extension FrameRow: CustomTestStringConvertible {
    var testDescription: String { name }

    static let valid: [FrameRow] = [
        FrameRow("empty text", masked(0x81, []), ["text "]),
        FrameRow("text", masked(0x81, Array("hello €".utf8)), ["text hello €"]),
        FrameRow("binary", masked(0x82, [0, 255, 128]), ["binary [0, 255, 128]"]),
        FrameRow("ping", masked(0x89, [1]), ["ping [1]"]),
        FrameRow("pong", masked(0x8A, []), ["pong []"]),
        FrameRow(
            "ping of 125", masked(0x89, Array(repeating: 7, count: 125)),
            ["ping \(Array(repeating: 7, count: 125))"]),
        FrameRow(
            "16-bit length", masked(0x81, Array(repeating: 97, count: 300)),
            ["text \(String(repeating: "a", count: 300))"]),
        FrameRow(
            "fragments with control frames between",
            masked(0x01, [97]) + masked(0x89, [1]) + masked(0x00, [98]) + masked(0x8A, [])
                + masked(0x80, [99]) + masked(0x81, [100]),
            ["ping [1]", "pong []", "text abc", "text d"]),
        FrameRow(
            "character split across fragments",
            masked(0x01, [0xE2]) + masked(0x89, []) + masked(0x00, [0x82]) + masked(0x80, [0xAC]),
            ["ping []", "text €"]),
        FrameRow(
            "empty fragments", masked(0x02, []) + masked(0x00, []) + masked(0x80, []),
            ["binary []"]),
        FrameRow("close", masked(0x88, []), ["close 0 "]),
        FrameRow(
            "close with reason", masked(0x88, [0x03, 0xE8] + Array("bye".utf8)), ["close 1000 bye"]),
        FrameRow(
            "data after close", masked(0x88, [0x0F, 0xA0]) + masked(0x81, [97]), ["close 4000 "]),
        FrameRow(
            "length not minimal", [0x81, 0xFE, 0x00, 0x01, 0, 0, 0, 0, 97], ["text a"]),
        FrameRow(
            "64-bit length not minimal", [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 97],
            ["text a"]),
    ]

    static let attacks: [FrameRow] = [
        FrameRow("unmasked", WebSocketFrameEncoder.text("a"), ["error 1002"]),
        FrameRow("RSV1", masked(0xC1, [97]), ["error 1002"]),
        FrameRow("RSV2", masked(0xA1, [97]), ["error 1002"]),
        FrameRow("RSV3", masked(0x91, [97]), ["error 1002"]),
        FrameRow("RSV on control", masked(0xC9, []), ["error 1002"]),
        FrameRow("opcode 3", masked(0x83, []), ["error 1002"]),
        FrameRow("opcode 7", masked(0x87, []), ["error 1002"]),
        FrameRow("opcode 11", masked(0x8B, []), ["error 1002"]),
        FrameRow("opcode 15", masked(0x8F, []), ["error 1002"]),
        FrameRow("fragmented ping", masked(0x09, []), ["error 1002"]),
        FrameRow("fragmented close", masked(0x08, []), ["error 1002"]),
        FrameRow("control of 126", masked(0x89, Array(repeating: 1, count: 126)), ["error 1002"]),
        FrameRow("64-bit control", [0x88, 0xFF], ["error 1002"]),
        FrameRow("continuation of nothing", masked(0x80, [97]), ["error 1002"]),
        FrameRow(
            "continuation after the end", masked(0x81, [97]) + masked(0x80, [97]),
            ["text a", "error 1002"]),
        FrameRow("text inside text", masked(0x01, [97]) + masked(0x81, [97]), ["error 1002"]),
        FrameRow("binary inside text", masked(0x01, [97]) + masked(0x02, []), ["error 1002"]),
        FrameRow(
            "top bit of the length", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ["error 1002"]),
        FrameRow(
            "huge length", [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0],
            ["error 1009"]),
        FrameRow("too big", masked(0x82, Array(repeating: 0, count: 4097)), ["error 1009"]),
        FrameRow(
            "too big in fragments",
            masked(0x02, Array(repeating: 0, count: 4000)) + masked(0x89, [])
                + masked(0x80, Array(repeating: 0, count: 97)), ["ping []", "error 1009"]),
        FrameRow("invalid byte", masked(0x81, [97, 0xFF]), ["error 1007"]),
        FrameRow("overlong slash", masked(0x81, [0xC0, 0xAF]), ["error 1007"]),
        FrameRow("overlong E0", masked(0x81, [0xE0, 0x9F, 0x80]), ["error 1007"]),
        FrameRow("overlong F0", masked(0x81, [0xF0, 0x8F, 0x80, 0x80]), ["error 1007"]),
        FrameRow("surrogate", masked(0x81, [0xED, 0xA0, 0x80]), ["error 1007"]),
        FrameRow("above U+10FFFF", masked(0x81, [0xF4, 0x90, 0x80, 0x80]), ["error 1007"]),
        FrameRow("F5", masked(0x81, [0xF5]), ["error 1007"]),
        FrameRow("lone continuation", masked(0x81, [0x80]), ["error 1007"]),
        FrameRow("ends inside a character", masked(0x81, [0xE2, 0x82]), ["error 1007"]),
        FrameRow(
            "ends inside a character in fragments", masked(0x01, [0xE2]) + masked(0x80, [0x82]),
            ["error 1007"]),
        FrameRow(
            "invalid across fragments", masked(0x01, [0xE2]) + masked(0x80, [0x28]), ["error 1007"]),
        FrameRow("close of one byte", masked(0x88, [3]), ["error 1002"]),
        FrameRow("close reason not UTF-8", masked(0x88, [0x03, 0xE8, 0xFF]), ["error 1007"]),
    ]
}
