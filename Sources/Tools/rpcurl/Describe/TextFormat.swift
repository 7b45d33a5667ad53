import Protobuf

/// Protobuf's text format, as option values of .proto files use it.
enum TextFormat {
    /// The fields of a message, a line each.
    static func lines(_ message: DynamicMessage, indent: String = "") -> [String] {
        message.setFields.flatMap { field, value in
            switch value {
            case .list(let list): list.flatMap { lines(field, $0, indent) }
            case .map(let map): map.flatMap { entry(field, $0.key, $0.value, indent) }.sorted()
            default: lines(field, value, indent)
            }
        }
    }

    private static func lines(
        _ field: FieldSchema, _ value: DynamicValue, _ indent: String
    ) -> [String] {
        guard case .message(let message) = value else {
            return ["\(indent)\(field.name): \(scalar(value, field))"]
        }
        let inner = lines(message, indent: indent + "  ")
        return ["\(indent)\(field.name) {"] + inner + ["\(indent)}"]
    }

    private static func entry(
        _ field: FieldSchema, _ key: DynamicValue, _ value: DynamicValue, _ indent: String
    ) -> [String] {
        guard let type = field.messageType, type.fields.count == 2 else { return [] }
        let inner =
            lines(type.fields[0], key, "") + lines(type.fields[1], value, "")
        return ["\(indent)\(field.name) { \(inner.joined(separator: " ")) }"]
    }

    /// A value that is no message.
    static func scalar(_ value: DynamicValue, _ field: FieldSchema) -> String {
        switch value {
        case .string(let text): quoted(Array(text.utf8))
        case .bytes(let bytes): quoted(bytes)
        case .bool(let flag): flag ? "true" : "false"
        case .double(let number): "\(number)"
        case .float(let number): "\(number)"
        case .uint64(let number): "\(number)"
        case .enumeration(let number): field.enumType?.value(number: number)?.name ?? "\(number)"
        default: value.integerValue.map(String.init) ?? ""
        }
    }

    static func quoted(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0x0A: text += Array("\\n".utf8)
            case 0x20..<0x7F, 0x80...: text.append(byte)
            default: text += Array("\\\(byte >> 6)\(byte >> 3 & 7)\(byte & 7)".utf8)
            }
        }
        let string = String(decoding: text, as: UTF8.self)
        return "\"\(string)\""
    }
}
