import Protobuf

/// Protobuf's text format, written: option values of .proto files, and messages with -format text.
struct TextFormat {
    /// Resolves the types inside `Any`; those it does not know keep their bytes.
    private let pool: DescriptorPool?

    init(_ pool: DescriptorPool? = nil) {
        self.pool = pool
    }

    /// The fields of a message, a line each.
    static func lines(_ message: DynamicMessage) -> [String] { TextFormat().lines(message, "") }

    /// The fields of a message, a line each. Fields that the schema lacks are left out.
    func lines(_ message: DynamicMessage, _ indent: String = "") -> [String] {
        if let expanded = expandedAny(message, indent) { return expanded }
        return message.setFields.flatMap { field, value in
            switch value {
            case .list(let list): list.flatMap { lines(field, $0, indent) }
            case .map(let map): map.flatMap { entry(field, $0.key, $0.value, indent) }.sorted()
            default: lines(field, value, indent)
            }
        }
    }

    private func expandedAny(_ message: DynamicMessage, _ indent: String) -> [String]? {
        guard message.schema.fullName == "google.protobuf.Any", let pool,
            let url = message["type_url"]?.stringValue,
            let schema = pool.message(AnyTypes.name(url)),
            let inner = try? DynamicMessage(
                decoding: message["value"]?.bytesValue ?? [], schema: schema)
        else { return nil }
        return ["\(indent)[\(url)] {"] + lines(inner, indent + "  ") + ["\(indent)}"]
    }

    private func lines(_ field: FieldSchema, _ value: DynamicValue, _ indent: String) -> [String] {
        guard case .message(let message) = value else {
            return ["\(indent)\(field.name): \(TextFormat.scalar(value, field))"]
        }
        return ["\(indent)\(field.name) {"] + lines(message, indent + "  ") + ["\(indent)}"]
    }

    private func entry(
        _ field: FieldSchema, _ key: DynamicValue, _ value: DynamicValue, _ indent: String
    ) -> [String] {
        guard let type = field.messageType, type.fields.count == 2 else { return [] }
        let inner = lines(type.fields[0], key, "") + lines(type.fields[1], value, "")
        return ["\(indent)\(field.name) { \(inner.joined(separator: " ")) }"]
    }

    /// A value that is no message.
    static func scalar(_ value: DynamicValue, _ field: FieldSchema) -> String {
        switch value {
        case .string(let text): quoted(Array(text.utf8))
        case .bytes(let bytes): quoted(bytes, isText: false)
        case .bool(let flag): flag ? "true" : "false"
        case .double(let number): "\(number)"
        case .float(let number): "\(number)"
        case .uint64(let number): "\(number)"
        case .enumeration(let number): field.enumType?.value(number: number)?.name ?? "\(number)"
        default: value.integerValue.map(String.init) ?? ""
        }
    }

    /// - Parameter isText: UTF-8 stays as it is; otherwise all but ASCII is escaped.
    static func quoted(_ bytes: [UInt8], isText: Bool = true) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0x0A: text += Array("\\n".utf8)
            case 0x20..<0x7F: text.append(byte)
            case 0x80... where isText: text.append(byte)
            default: text += Array("\\\(byte >> 6)\(byte >> 3 & 7)\(byte & 7)".utf8)
            }
        }
        let string = String(decoding: text, as: UTF8.self)
        return "\"\(string)\""
    }
}
