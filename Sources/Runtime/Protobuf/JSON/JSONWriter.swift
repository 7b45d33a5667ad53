/// Appends JSON text, compact or indented.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Spaces per level; 0 prints on one line.
    private let indent: Int
    private var level = 0
    /// The innermost object or array holds nothing yet.
    private var isFirst = true

    init(indent: Int = 0) { self.indent = indent }

    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func raw(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    mutating func open(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        level += 1
        isFirst = true
    }

    mutating func close(_ bracket: Unicode.Scalar) {
        level -= 1
        if !isFirst { newline() }
        bytes.append(UInt8(ascii: bracket))
        isFirst = false
    }

    /// Begins the next element of an array.
    mutating func element() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        newline()
    }

    /// Begins the next member of an object.
    mutating func key(_ name: String) {
        element()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        if indent > 0 { bytes.append(UInt8(ascii: " ")) }
    }

    private mutating func newline() {
        if indent == 0 { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * level))
    }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case 0..<0x20:
                raw("\\u00")
                bytes.append(UInt8(ascii: byte < 0x10 ? "0" : "1"))
                let nibble = byte & 15
                bytes.append(nibble < 10 ? nibble + 48 : nibble + 87)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// The shortest text that reads back as the same number; quoted when JSON has none.
    mutating func number(_ value: some BinaryFloatingPoint & LosslessStringConvertible) {
        if value.isNaN {
            raw("\"NaN\"")
        } else if value.isInfinite {
            raw(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
        } else {
            let text = value.description
            raw(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
        }
    }
}
