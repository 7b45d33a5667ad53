/// One HTTP/2 frame as bytes on the wire, to write peers by hand and to read what we send.
struct Frame: Equatable {
    enum Kind: UInt8 {
        case data, headers, priority, reset, settings, push, ping, goaway, windowUpdate,
            continuation
    }

    var kind: Kind
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    static let endStream: UInt8 = 1
    static let ack: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    var bytes: [UInt8] {
        let count = payload.count
        return [
            UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), kind.rawValue, flags,
        ]
            + Frame.big(stream) + payload
    }

    static func big(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// The payload's first four bytes.
    var number: UInt32 { payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    /// The four bytes after them: the code of a GOAWAY.
    var secondNumber: UInt32 { payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    static func parse(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var index = 0
        while index + 9 <= bytes.count {
            let count =
                Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let stream = bytes[index + 5..<index + 9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard let kind = Kind(rawValue: bytes[index + 3]) else { return frames }
            frames.append(
                Frame(
                    kind: kind, flags: bytes[index + 4], stream: stream,
                    payload: Array(bytes[index + 9..<index + 9 + count])))
            index += 9 + count
        }
        return frames
    }

    /// A header block of literals without indexing (RFC 7541 §6.2.2); names and values < 127.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in
            [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
        }
    }

    static func request(
        _ stream: UInt32, end: Bool = false, extra: [(String, String)] = []
    ) -> Frame {
        Frame(
            kind: .headers, flags: endHeaders | (end ? endStream : 0), stream: stream,
            payload: block(
                [
                    (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"),
                    (":authority", "x"),
                ] + extra))
    }

    static func data(_ stream: UInt32, _ payload: [UInt8], end: Bool = false) -> Frame {
        Frame(kind: .data, flags: end ? endStream : 0, stream: stream, payload: payload)
    }
}
