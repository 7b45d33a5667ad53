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
        /// Nothing that is known declares the option, or its value.
        case unknown
    }

    let pool: DescriptorPool

    /// In their order in the descriptor: protoc keeps that of the source.
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
        var settings: [Setting] = []
        var messages: [Int32: (index: Int, bytes: [UInt8])] = [:]
        var reader = WireReader(bytes)
        do {
            while let (raw, type) = try reader.tag() {
                let number = Int32(truncatingIfNeeded: raw)
                guard let field = fields[number] else {
                    try reader.skip(raw, type)
                    settings.append(Setting(name: "\(number)", value: .unknown))
                    continue
                }
                let name = OptionReader.name(field)
                guard field.kind == .message, !field.isRepeated, type == .bytes else {
                    for value in try values(field, type, raw, &reader) {
                        settings.append(Setting(name: name, value: value))
                    }
                    continue
                }
                // Parts of one message may come apart: they merge by concatenation.
                var part = messages[number] ?? (settings.count, [])
                part.bytes += try reader.lengthDelimited()
                messages[number] = part
                let setting = Setting(name: name, value: message(field, part.bytes))
                if part.index == settings.count {
                    settings.append(setting)
                } else {
                    settings[part.index] = setting
                }
            }
        } catch {
            // What could be read is shown; a damaged tail says nothing.
        }
        return settings
    }

    private static func name(_ field: FieldSchema) -> String {
        field.extendee == nil ? field.name : "(\(field.fullName))"
    }

    private func values(
        _ field: FieldSchema, _ type: WireType, _ number: UInt32, _ reader: inout WireReader
    ) throws(ProtobufError) -> [Value] {
        if field.isRepeated, type == .bytes, field.kind.wireType != .bytes {
            var packed = try reader.nested()
            var values: [Value] = []
            while !packed.isAtEnd { values.append(try value(field, &packed)) }
            return values
        }
        guard type == field.kind.wireType, field.kind != .group else {
            try reader.skip(number, type)
            return [.unknown]
        }
        return [try value(field, &reader)]
    }

    private func value(
        _ field: FieldSchema, _ reader: inout WireReader
    ) throws(ProtobufError) -> Value {
        let text: String
        switch field.kind {
        case .message: return message(field, try reader.lengthDelimited())
        case .string: text = TextFormat.quoted(try reader.lengthDelimited())
        case .bytes: text = TextFormat.quoted(try reader.lengthDelimited(), isText: false)
        case .double: text = "\(Double(bitPattern: try reader.fixed64()))"
        case .float: text = "\(Float(bitPattern: try reader.fixed32()))"
        case .fixed64: text = "\(try reader.fixed64())"
        case .sfixed64: text = "\(Int64(bitPattern: try reader.fixed64()))"
        case .fixed32: text = "\(try reader.fixed32())"
        case .sfixed32: text = "\(Int32(bitPattern: try reader.fixed32()))"
        case .enumeration:
            let number = Int32(truncatingIfNeeded: try reader.varint())
            // .proto source can name values only.
            guard let value = field.enumType?.value(number: number) else { return .unknown }
            text = value.name
        default: text = OptionReader.integer(field, try reader.varint())
        }
        return .scalar(text)
    }

    private static func integer(_ field: FieldSchema, _ raw: UInt64) -> String {
        switch field.kind {
        case .bool: raw == 0 ? "false" : "true"
        case .uint64, .uint32: "\(raw)"
        case .sint32, .sint64: "\(ZigZag.decode(raw))"
        default: "\(Int64(bitPattern: raw))"
        }
    }

    private func message(_ field: FieldSchema, _ bytes: [UInt8]) -> Value {
        guard let type = field.messageType,
            let message = try? DynamicMessage(decoding: bytes, schema: type)
        else { return .unknown }
        return .message(TextFormat.lines(message))
    }
}
