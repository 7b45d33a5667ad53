extension ProtoJSONParser {
    mutating func wellKnown(
        _ type: WellKnownType, _ schema: MessageSchema
    ) throws(ProtobufError) -> DynamicMessage {
        var message = DynamicMessage(schema)
        switch type {
        case .empty: return try plainMessage(schema)
        case .any: return try any(schema)
        case .value: try value(into: &message)
        case .structure, .listValue: try container(into: &message)
        case .wrapper:
            let field = try field(1, schema)
            if let value = try scalar(field) {
                message[field] = value.isZero ? nil : value
            }
        case .timestamp:
            let text = try text("expected a timestamp such as \"2025-12-02T10:00:00Z\"")
            try set(WellKnownText.timestamp(text), "timestamp", in: &message)
        case .duration:
            let text = try text("expected a duration such as \"1.5s\"")
            try set(WellKnownText.duration(text), "duration", in: &message)
        case .fieldMask:
            let text = try text("expected a field mask such as \"a,b.cD\"")
            guard let paths = WellKnownText.fieldMask(text) else {
                throw scanner.error(.mismatch, "invalid field mask", at: valueStart)
            }
            message[try field(1, schema)] =
                paths.isEmpty ? nil : .list(paths.map { .string($0) })
        }
        return message
    }

    private func set(
        _ time: (seconds: Int64, nanos: Int32)?, _ name: String, in message: inout DynamicMessage
    ) throws(ProtobufError) {
        guard let time else { throw scanner.error(.mismatch, "invalid \(name)", at: valueStart) }
        if time.seconds != 0 { message[try field(1, message.schema)] = .int64(time.seconds) }
        if time.nanos != 0 { message[try field(2, message.schema)] = .int32(time.nanos) }
    }

    /// A field of a well-known type, whose declaration may come from a foreign pool.
    private func field(
        _ number: Int32, _ schema: MessageSchema
    ) throws(ProtobufError) -> FieldSchema {
        guard let field = schema.field(number: number) else {
            throw ProtobufError(.schema, "\(schema.fullName) lacks its field \(number)")
        }
        return field
    }

    private mutating func value(into message: inout DynamicMessage) throws(ProtobufError) {
        let schema = message.schema
        switch scanner.peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let isObject = scanner.peek() == UInt8(ascii: "{")
            let field = try field(isObject ? 5 : 6, schema)
            message[field] = try value(field)
        case UInt8(ascii: "\""):
            message[try field(3, schema)] = .string(try text(""))
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            let field = try field(4, schema)
            message[field] = try scalar(field)
        case UInt8(ascii: "n"):
            guard scanner.takeLiteral("null") else { throw scanner.unexpected() }
            message[try field(1, schema)] = .enumeration(0)
        default:
            let field = try field(2, schema)
            message[field] = try scalar(field)
        }
    }

    /// `Struct` holds a map, `ListValue` a list, both as field 1.
    private mutating func container(into message: inout DynamicMessage) throws(ProtobufError) {
        let field = try field(1, message.schema)
        if field.isMap {
            let map = try map(field)
            message[field] = map.isEmpty ? nil : .map(map)
        } else {
            let list = try list(field)
            message[field] = list.isEmpty ? nil : .list(list)
        }
    }

    private mutating func any(_ schema: MessageSchema) throws(ProtobufError) -> DynamicMessage {
        var message = DynamicMessage(schema)
        guard scanner.peek() == UInt8(ascii: "{") else { throw mismatch("expected an object") }
        let start = scanner.offset
        guard let url = try typeURL() else {
            // `{}` is the empty Any; anything else must say what it is.
            guard scanner.takeIf("{"), scanner.takeIf("}") else {
                throw scanner.error(.mismatch, "an Any needs \"@type\"", at: start)
            }
            return message
        }
        let name = url.text.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard url.text.utf8.contains(UInt8(ascii: "/")), let type = pool.message(String(name))
        else {
            throw scanner.error(.mismatch, "unknown type \"\(url.text)\"", at: url.offset)
        }
        let content =
            type.wellKnown == nil
            ? try plainMessage(type, skipping: "@type") : try special(type)
        message[try field(1, schema)] = .string(url.text)
        let bytes = content.encoded()
        if !bytes.isEmpty { message[try field(2, schema)] = .bytes(bytes) }
        return message
    }

    /// Looks ahead for the member "@type" of the object that begins here.
    private func typeURL() throws(ProtobufError) -> (text: String, offset: Int)? {
        var ahead = self
        var found: (text: String, offset: Int)?
        var more = try ahead.scanner.open("{", "}")
        while more {
            let (key, start) = try ahead.scanner.key()
            if key == "@type" {
                if found != nil { throw ahead.scanner.duplicate(key, at: start) }
                found = (try ahead.text("\"@type\" must be a string"), ahead.valueStart)
            } else {
                try ahead.scanner.skipValue()
            }
            more = try ahead.scanner.next("}")
        }
        return found
    }

    /// `{"@type": …, "value": …}`, the form of types with JSON of their own.
    private mutating func special(_ type: MessageSchema) throws(ProtobufError) -> DynamicMessage {
        var content: DynamicMessage?
        let begin = scanner.offset
        var more = try scanner.open("{", "}")
        while more {
            let (key, start) = try scanner.key()
            switch key {
            case "@type": try scanner.skipValue()
            case "value":
                scanner.path.append(.field(key))
                if content != nil { throw scanner.duplicate(key, at: start) }
                content = try message(type)
                scanner.path.removeLast()
            default:
                guard options.ignoreUnknownFields else {
                    throw scanner.error(
                        .mismatch, "unexpected member \"\(key)\" of an Any", at: start)
                }
                try scanner.skipValue()
            }
            more = try scanner.next("}")
        }
        if let content { return content }
        if type.wellKnown == .empty { return DynamicMessage(type) }
        throw scanner.error(.mismatch, "an Any of \(type.fullName) needs \"value\"", at: begin)
    }
}
