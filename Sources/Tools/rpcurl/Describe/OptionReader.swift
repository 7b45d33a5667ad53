import Protobuf

/// Reads the options of a declaration, with the extensions that the pool declares.
struct OptionReader {
    struct Setting {
        /// `deprecated`, or `(google.api.http)`.
        let name: String
        /// One line, or the lines inside the braces of a message.
        let value: Value
    }

    enum Value {
        case scalar(String)
        case message([String])
    }

    let pool: DescriptorPool

    /// In the order of their numbers; options whose extension is unknown are left out.
    /// - Parameter kind: the options message, for example `MethodOptions`.
    func settings(of options: Options, _ kind: String) -> [Setting] {
        if options.isEmpty { return [] }
        let name = "google.protobuf.\(kind)"
        var fields: [Int32: FieldSchema] = [:]
        if let schema = pool.message(name) {
            for field in schema.fields { fields[field.number] = field }
        }
        for field in pool.extensions(of: name) { fields[field.number] = field }
        return read(options.bytes, fields)
    }

    private func read(_ bytes: [UInt8], _ fields: [Int32: FieldSchema]) -> [Setting] {
        var settings: [(number: Int32, setting: Setting)] = []
        var messages: [Int32: [UInt8]] = [:]
        var reader = WireReader(bytes)
        do {
            while let (raw, type) = try reader.tag() {
                let number = Int32(truncatingIfNeeded: raw)
                guard let field = fields[number] else {
                    try reader.skip(raw, type)
                    continue
                }
                if field.kind == .message, !field.isRepeated, type == .bytes {
                    // Parts of one message may come apart: they merge by concatenation.
                    messages[number, default: []] += try reader.lengthDelimited()
                } else if let value = try value(field, type, raw, &reader) {
                    settings.append((number, Setting(name: OptionReader.name(field), value: value)))
                }
            }
        } catch {
            // What could be read is shown; a damaged tail says nothing.
        }
        for (number, bytes) in messages {
            guard let field = fields[number], let value = message(field, bytes) else { continue }
            settings.append((number, Setting(name: OptionReader.name(field), value: value)))
        }
        return settings.sorted { $0.number < $1.number }.map(\.setting)
    }

    private static func name(_ field: FieldSchema) -> String {
        field.extendee == nil ? field.name : "(\(field.fullName))"
    }

    private func value(
        _ field: FieldSchema, _ type: WireType, _ number: UInt32, _ reader: inout WireReader
    ) throws(ProtobufError) -> Value? {
        guard type == field.kind.wireType else {
            try reader.skip(number, type)
            return nil
        }
        if field.kind == .message { return message(field, try reader.lengthDelimited()) }
        let text: String
        switch type {
        case .bytes: text = TextFormat.quoted(try reader.lengthDelimited())
        case .fixed64:
            let bits = try reader.fixed64()
            text = field.kind == .double ? "\(Double(bitPattern: bits))" : "\(bits)"
        case .fixed32:
            let bits = try reader.fixed32()
            text = field.kind == .float ? "\(Float(bitPattern: bits))" : "\(bits)"
        default: text = OptionReader.integer(field, try reader.varint())
        }
        return .scalar(text)
    }

    private static func integer(_ field: FieldSchema, _ raw: UInt64) -> String {
        switch field.kind {
        case .bool: raw == 0 ? "false" : "true"
        case .enumeration:
            field.enumType?.value(number: Int32(truncatingIfNeeded: raw))?.name ?? "\(raw)"
        case .uint64, .uint32: "\(raw)"
        case .sint32, .sint64: "\(ZigZag.decode(raw))"
        default: "\(Int64(bitPattern: raw))"
        }
    }

    private func message(_ field: FieldSchema, _ bytes: [UInt8]) -> Value? {
        guard let type = field.messageType,
            let message = try? DynamicMessage(decoding: bytes, schema: type)
        else { return nil }
        return .message(TextFormat.lines(message))
    }
}
