/// Reads JSON straight into a `DynamicMessage`, guided by its schema.
struct ProtoJSONParser {
    var scanner: JSONScanner
    let pool: DescriptorPool
    let options: ProtoJSON.ParseOptions
    /// Where the latest scalar begins: errors about its meaning point there.
    var valueStart = 0

    /// A message in its own JSON form, well-known types included.
    mutating func message(_ schema: MessageSchema) throws(ProtobufError) -> DynamicMessage {
        if let known = schema.wellKnown { return try wellKnown(known, schema) }
        return try plainMessage(schema)
    }

    /// A message as an object of its fields; `special` names a member that is not a field.
    mutating func plainMessage(
        _ schema: MessageSchema, skipping special: String? = nil
    ) throws(ProtobufError) -> DynamicMessage {
        guard scanner.peek() == UInt8(ascii: "{") else {
            throw scanner.error(.mismatch, "expected an object")
        }
        var message = DynamicMessage(schema)
        var seen = Array(repeating: false, count: schema.fields.count)
        var others: Set<DynamicValue> = []
        var more = try scanner.open("{", "}")
        while more {
            let (key, start) = try scanner.key()
            if let field = schema.field(named: key) {
                scanner.path.append(.field(field.name))
                if seen[field.index] { throw scanner.duplicate(key, at: start) }
                seen[field.index] = true
                try member(field, of: &message, at: start)
                scanner.path.removeLast()
            } else {
                guard others.insert(.string(key)).inserted else {
                    throw scanner.duplicate(key, at: start)
                }
                guard key == special || options.ignoreUnknownFields else {
                    scanner.path.append(.field(key))
                    throw scanner.error(
                        .mismatch, "\(schema.fullName) has no such field", at: start)
                }
                try scanner.skipValue()
            }
            more = try scanner.next("}")
        }
        return message
    }

    private mutating func member(
        _ field: FieldSchema, of message: inout DynamicMessage, at start: Int
    ) throws(ProtobufError) {
        if !takesNull(field) || field.isRepeated, scanner.takeLiteral("null") { return }
        if let oneof = field.oneof,
            let other = oneof.fields.first(where: { message[$0] != nil })
        {
            throw scanner.error(
                .mismatch, "\(other.name) of the oneof \(oneof.name) is already set", at: start)
        }
        if field.isMap {
            let map = try map(field)
            message[field] = map.isEmpty ? nil : .map(map)
        } else if field.isRepeated {
            let list = try list(field)
            message[field] = list.isEmpty ? nil : .list(list)
        } else if let value = try value(field) {
            message[field] = field.cardinality == .implicit && value.isZero ? nil : value
        }
    }

    /// Only `Value` and `NullValue` have a value that is written null.
    private func takesNull(_ field: FieldSchema) -> Bool {
        switch field.kind {
        case .message: field.messageType?.wellKnown == .value
        case .enumeration: field.enumType?.isNullValue ?? false
        default: false
        }
    }

    mutating func list(_ field: FieldSchema) throws(ProtobufError) -> [DynamicValue] {
        guard scanner.peek() == UInt8(ascii: "[") else {
            throw scanner.error(.mismatch, "expected an array")
        }
        var list: [DynamicValue] = []
        var index = 0
        var more = try scanner.open("[", "]")
        while more {
            scanner.path.append(.index(index))
            if let element = try element(field) { list.append(element) }
            scanner.path.removeLast()
            index += 1
            more = try scanner.next("]")
        }
        return list
    }

    mutating func map(
        _ field: FieldSchema
    ) throws(ProtobufError) -> [DynamicValue: DynamicValue] {
        guard scanner.peek() == UInt8(ascii: "{") else {
            throw scanner.error(.mismatch, "expected an object")
        }
        guard let entry = field.messageType else { return [:] }
        var map: [DynamicValue: DynamicValue] = [:]
        var seen: Set<DynamicValue> = []
        var more = try scanner.open("{", "}")
        while more {
            let (text, start) = try scanner.key()
            scanner.path.append(.key(text))
            let key = try mapKey(entry.fields[0], text, at: start)
            guard seen.insert(key).inserted else { throw scanner.duplicate(text, at: start) }
            if let value = try element(entry.fields[1]) { map[key] = value }
            scanner.path.removeLast()
            more = try scanner.next("}")
        }
        return map
    }

    /// An element of a list or a value of a map, which may not be null.
    private mutating func element(_ field: FieldSchema) throws(ProtobufError) -> DynamicValue? {
        if !takesNull(field), scanner.peek() == UInt8(ascii: "n") {
            let start = scanner.offset
            if scanner.takeLiteral("null") {
                throw scanner.error(.mismatch, "null is no element", at: start)
            }
        }
        return try value(field)
    }

    /// One value; nil for an unknown enum name that is to be ignored.
    mutating func value(_ field: FieldSchema) throws(ProtobufError) -> DynamicValue? {
        guard let type = field.messageType else { return try scalar(field) }
        return .message(try message(type))
    }
}

extension EnumSchema {
    var isNullValue: Bool { fullName == "google.protobuf.NullValue" }
}
