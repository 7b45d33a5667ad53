import Protobuf

/// Lays out JSON text.
enum JSONText {
    /// Two spaces per level, or one line.
    static func layout(_ value: JSONValue, compact: Bool) -> [UInt8] {
        let bytes = value.encoded()
        return compact ? bytes : indented(bytes)
    }

    /// Indents compact JSON.
    private static func indented(_ json: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(json.count * 2)
        var level = 0
        var inString = false
        var escaped = false
        func newline() { result += [0x0A] + [UInt8](repeating: 0x20, count: level * 2) }
        for (index, byte) in json.enumerated() {
            if inString {
                result.append(byte)
                inString = escaped || byte != UInt8(ascii: "\"")
                escaped = !escaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                result.append(byte)
                level += 1
                // In ASCII a closing bracket is the opening one + 2.
                if index + 1 < json.count, json[index + 1] != byte + 2 { newline() }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                level -= 1
                if index > 0, json[index - 1] != byte - 2 { newline() }
                result.append(byte)
            case UInt8(ascii: ","):
                result.append(byte)
                newline()
            case UInt8(ascii: ":"): result += [byte, 0x20]
            default:
                inString = byte == UInt8(ascii: "\"")
                result.append(byte)
            }
        }
        return result
    }
}
