/// A JSON object of strings, numbers and booleans without nesting: all that our tokens hold.
enum FlatJSON {
    enum Value: Hashable {
        case string(String)
        case number(Double)
        case bool(Bool)
        case null
    }

    /// Strict RFC 8259; nil for anything else, for duplicate names and for nested values.
    static func parse(_ bytes: [UInt8]) -> [String: Value]? {
        var reader = FlatJSONReader(bytes)
        return reader.object()
    }

    /// Writes members in the given order.
    struct Writer {
        private var bytes: [UInt8] = [UInt8(ascii: "{")]

        mutating func add(_ name: String, _ value: String) {
            add(name: name)
            add(quoted: value)
        }

        mutating func add(_ name: String, _ value: Int64) {
            add(name: name)
            bytes.append(contentsOf: value.description.utf8)
        }

        consuming func finished() -> [UInt8] {
            bytes.append(UInt8(ascii: "}"))
            return bytes
        }

        private mutating func add(name: String) {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            add(quoted: name)
            bytes.append(UInt8(ascii: ":"))
        }

        private mutating func add(quoted text: String) {
            bytes.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0..<0x20:
                    bytes.append(contentsOf: #"\u00"#.utf8)
                    bytes.append(Hex.digit(byte >> 4))
                    bytes.append(Hex.digit(byte & 0xF))
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
    }
}
