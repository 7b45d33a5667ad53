/// One HTTP/2 frame as bytes on the wire, to write peers by hand and to read what we send.
package struct Frame: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case data, headers, priority, reset, settings, push, ping, goaway, windowUpdate,
            continuation
    }

    package var kind: Kind
    package var flags: UInt8 = 0
    package var stream: UInt32 = 0
    package var payload: [UInt8] = []

    package init(kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.payload = payload
    }

    package static let endStream: UInt8 = 1
    package static let ack: UInt8 = 1
    package static let endHeaders: UInt8 = 4
    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    package var bytes: [UInt8] {
        let count = payload.count
        return [
            UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), kind.rawValue, flags,
        ]
            + Frame.big(stream) + payload
    }

    package static func big(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// The payload's first four bytes.
    package var number: UInt32 { payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    /// The four bytes after them: the code of a GOAWAY.
    package var secondNumber: UInt32 {
        payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The whole frames at the front of the bytes, which are removed.
    package static func take(_ bytes: inout [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var index = 0
        defer { bytes.removeFirst(index) }
        while index + 9 <= bytes.count {
            let count =
                Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let stream = bytes[index + 5..<index + 9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard index + 9 + count <= bytes.count else { return frames }
            guard let kind = Kind(rawValue: bytes[index + 3]) else { return frames }
            frames.append(
                Frame(
                    kind: kind, flags: bytes[index + 4], stream: stream,
                    payload: Array(bytes[index + 9..<index + 9 + count])))
            index += 9 + count
        }
        return frames
    }

    package static func parse(_ bytes: [UInt8]) -> [Frame] {
        var bytes = bytes
        return take(&bytes)
    }

    /// A header block of literals without indexing (RFC 7541 §6.2.2); names and values < 127.
    package static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in
            [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
        }
    }

    package static func request(
        _ stream: UInt32, path: String = "/a.B/C", end: Bool = false,
        extra: [(String, String)] = []
    ) -> Frame {
        Frame(
            kind: .headers, flags: endHeaders | (end ? endStream : 0), stream: stream,
            payload: block(
                [
                    (":method", "POST"), (":scheme", "http"), (":path", path),
                    (":authority", "x"),
                ] + extra))
    }

    package static func data(_ stream: UInt32, _ payload: [UInt8], end: Bool = false) -> Frame {
        Frame(kind: .data, flags: end ? endStream : 0, stream: stream, payload: payload)
    }
    package static func reset(_ stream: UInt32, code: UInt32) -> Frame {
        Frame(kind: .reset, stream: stream, payload: big(code))
    }

    package static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Frame {
        Frame(kind: .windowUpdate, stream: stream, payload: big(increment))
    }

    package static func settings(_ values: [(UInt16, UInt32)] = []) -> Frame {
        Frame(
            kind: .settings,
            payload: values.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] + big($1) })
    }

    package static func ping(_ byte: UInt8 = 7, ack: Bool = false) -> Frame {
        Frame(
            kind: .ping, flags: ack ? Frame.ack : 0, payload: [UInt8](repeating: byte, count: 8))
    }

    /// The debug text of a GOAWAY.
    package var debugText: String { String(decoding: payload.dropFirst(8), as: UTF8.self) }
}
