/// Prints a `DynamicMessage` as JSON.
struct ProtoJSONPrinter {
    var writer: JSONWriter
    let pool: DescriptorPool
    let options: ProtoJSON.PrintOptions
    /// `Any` is decoded while printing, so nesting is bounded here and not by the caller.
    private var depthLeft = 100

    init(pool: DescriptorPool, options: ProtoJSON.PrintOptions) {
        self.pool = pool
        self.options = options
        writer = JSONWriter(indent: options.indent)
    }

    mutating func message(_ message: DynamicMessage) throws(ProtobufError) {
        guard depthLeft > 0 else { throw ProtobufError(.tooDeep, "messages nest too deeply") }
        depthLeft -= 1
        if let known = message.schema.wellKnown {
            try wellKnown(known, message)
        } else {
            writer.open("{")
            try members(message)
            writer.close("}")
        }
        depthLeft += 1
    }

    /// The fields of a message, inside braces that the caller writes.
    mutating func members(_ message: DynamicMessage) throws(ProtobufError) {
        for field in message.schema.fields {
            let name = options.preserveProtoFieldNames ? field.name : field.jsonName
            guard let value = message[field] else {
                printUnset(field, name)
                continue
            }
            if field.cardinality == .implicit, value.isZero, !options.printDefaults { continue }
            writer.key(name)
            do {
                try self.value(value, field)
            } catch {
                throw error.inside(field.name)
            }
        }
    }

    private mutating func printUnset(_ field: FieldSchema, _ name: String) {
        switch field.cardinality {
        case .implicit where options.printDefaults:
            writer.key(name)
            unset(field)
        case .repeated where options.printDefaults:
            writer.key(name)
            writer.raw(field.isMap ? "{}" : "[]")
        case .optional where options.explicitNulls && field.oneof == nil:
            writer.key(name)
            writer.raw("null")
        default: break
        }
    }

    /// A default value, which every printer can express.
    private mutating func unset(_ field: FieldSchema) {
        switch field.kind {
        case .string, .bytes: writer.raw("\"\"")
        case .bool: writer.raw("false")
        case .int64, .sint64, .sfixed64, .uint64, .fixed64:
            writer.raw(options.int64AsNumber ? "0" : "\"0\"")
        case .enumeration: enumeration(0, field)
        default: writer.raw("0")
        }
    }

    mutating func value(_ value: DynamicValue, _ field: FieldSchema) throws(ProtobufError) {
        switch value {
        case .int32(let value): writer.raw(String(value))
        case .uint32(let value): writer.raw(String(value))
        case .int64(let value): try wide(String(value), value.magnitude)
        case .uint64(let value): try wide(String(value), value)
        case .float(let value): writer.number(value)
        case .double(let value): writer.number(value)
        case .bool(let value): writer.raw(value ? "true" : "false")
        case .string(let value): writer.string(value)
        case .bytes(let value):
            var text: [UInt8] = [UInt8(ascii: "\"")]
            Base64.encode(value, into: &text)
            text.append(UInt8(ascii: "\""))
            writer.raw(text)
        case .enumeration(let number): enumeration(number, field)
        case .message(let message): try self.message(message)
        case .list(let list):
            writer.open("[")
            for (index, element) in list.enumerated() {
                writer.element()
                do { try self.value(element, field) } catch { throw error.inside("[\(index)]") }
            }
            writer.close("]")
        case .map(let map): try entries(map, field)
        }
    }

    private mutating func entries(
        _ map: [DynamicValue: DynamicValue], _ field: FieldSchema
    ) throws(ProtobufError) {
        guard let entry = field.messageType else { return }
        writer.open("{")
        for (key, value) in map.sorted(by: { DynamicValue.precedes($0.key, $1.key) }) {
            let text =
                switch key {
                case .string(let text): text
                case .bool(let flag): flag ? "true" : "false"
                case .uint64(let number): String(number)
                default: String(key.integerValue ?? 0)
                }
            writer.key(text)
            do {
                try self.value(value, entry.fields[1])
            } catch {
                throw error.inside("[\"\(text)\"]")
            }
        }
        writer.close("}")
    }

    private mutating func wide(_ text: String, _ magnitude: UInt64) throws(ProtobufError) {
        guard options.int64AsNumber else {
            writer.raw("\"\(text)\"")
            return
        }
        guard magnitude <= 1 << 53 else {
            throw ProtobufError(
                .unrepresentable, "\(text) cannot be an exact JSON number (beyond 2^53)")
        }
        writer.raw(text)
    }

    private mutating func enumeration(_ number: Int32, _ field: FieldSchema) {
        guard let type = field.enumType else {
            writer.raw(String(number))
            return
        }
        if type.isNullValue {
            // Also when other enums are numbers: 0 would read back as a number.
            writer.raw("null")
        } else if options.enumsAsNumbers {
            writer.raw(String(number))
        } else if let name = options.enumAlias?(type, number) ?? type.value(number: number)?.name {
            writer.string(name)
        } else {
            writer.raw(String(number))
        }
    }
}

extension ProtobufError {
    /// The same error seen from the message or list that holds the value.
    func inside(_ step: String) -> ProtobufError {
        var error = self
        if let path, !path.isEmpty {
            error.path = path.hasPrefix("[") ? step + path : "\(step).\(path)"
        } else {
            error.path = step
        }
        return error
    }
}
