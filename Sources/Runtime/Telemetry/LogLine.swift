/// Builds the JSON text of one line (RFC 8259).
struct LogLine {
    private var bytes: [UInt8] = []

    /// The longest string that a line repeats in full; peers choose some of the strings.
    static let stringLimit = 8192

    init() {
        bytes.reserveCapacity(256)
        bytes.append(UInt8(ascii: "{"))
    }

    mutating func add(_ name: String, _ value: LogValue) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        add(quoted: name)
        bytes.append(UInt8(ascii: ":"))
        switch value {
        case .string(let text): add(quoted: text)
        case .int(let number): bytes.append(contentsOf: number.description.utf8)
        // JSON has no word for infinity or NaN.
        case .double(let number) where !number.isFinite: add(quoted: number.description)
        case .double(let number): bytes.append(contentsOf: number.description.utf8)
        case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        }
    }

    consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func add(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        var count = 0
        for byte in text.utf8 {
            // Cut only before the first byte of a character, so that the line stays UTF-8.
            if count >= Self.stringLimit, byte & 0xC0 != 0x80 {
                bytes.append(contentsOf: "…".utf8)
                break
            }
            count += 1
            add(escaped: byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func add(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
        case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
        case 0x0A: bytes.append(contentsOf: #"\n"#.utf8)
        case 0x0D: bytes.append(contentsOf: #"\r"#.utf8)
        case 0x09: bytes.append(contentsOf: #"\t"#.utf8)
        // DEL too: it is legal JSON, but a terminal must not see it.
        case 0x00..<0x20, 0x7F:
            bytes.append(contentsOf: #"\u00"#.utf8)
            bytes.append(Self.hexDigit(byte >> 4))
            bytes.append(Self.hexDigit(byte & 0xF))
        default: bytes.append(byte)
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x57 + value
    }
}
