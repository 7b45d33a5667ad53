extension DynamicMessage {
    /// Decodes untrusted bytes, under the same guard and limits as generated messages.
    public init(
        decoding bytes: [UInt8], schema: MessageSchema, limits: DecodingLimits = DecodingLimits()
    ) throws(ProtobufError) {
        let table = schema.table
        let verdict = bytes.withUnsafeBytes { raw in
            Result { () throws(ProtobufError) in
                var guardian = MessageGuard(raw, limits)
                _ = try guardian.validate(table)
            }
        }
        try verdict.get()
        self.init(schema)
        try merge(WireReader(bytes))
    }

    /// Reads fields into the message; the guard has bounded the depth.
    private mutating func merge(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        var start = reader.offset
        while let tag = try reader.tag() {
            let number = Int32(bitPattern: tag.number)
            if let field = schema.field(number: number), field.kind != .group,
                try read(field, tag.type, &reader)
            {
            } else {
                try reader.skip(tag.number, tag.type)
                unknownFields.bytes += reader.slice(start..<reader.offset)
            }
            start = reader.offset
        }
    }

    /// Returns false, with nothing read, when the wire type is not the field's.
    private mutating func read(
        _ field: FieldSchema, _ type: WireType, _ reader: inout WireReader
    ) throws(ProtobufError) -> Bool {
        let expected = field.kind.wireType
        if type == .bytes, expected != .bytes, field.isRepeated {
            var packed = try reader.nested()
            var list = take(field)?.listValue ?? []
            while !packed.isAtEnd {
                list.append(try DynamicMessage.scalar(field, &packed))
            }
            self[field] = list.isEmpty ? nil : .list(list)
            return true
        }
        guard type == expected else { return false }
        if field.isMap {
            try readEntry(field, try reader.nested())
        } else if field.isRepeated {
            let element = try DynamicMessage.element(field, &reader)
            var list = take(field)?.listValue ?? []
            list.append(element)
            self[field] = .list(list)
        } else if let inner = field.messageType {
            var message = take(field)?.messageValue ?? DynamicMessage(inner)
            try message.merge(try reader.nested())
            self[field] = .message(message)
        } else {
            let value = try DynamicMessage.scalar(field, &reader)
            self[field] = field.cardinality == .implicit && value.isZero ? nil : value
        }
        return true
    }

    /// The field's value, which the message gives up: what others hold as well, adding to it would
    /// copy, and bytes that add a thousand times would copy a thousand times.
    private mutating func take(_ field: FieldSchema) -> DynamicValue? {
        defer { self[field] = nil }
        return self[field]
    }

    private mutating func readEntry(
        _ field: FieldSchema, _ reader: WireReader
    ) throws(ProtobufError) {
        guard let inner = field.messageType, inner.fields.count == 2 else { return }
        var entry = DynamicMessage(inner)
        try entry.merge(reader)
        var map: [DynamicValue: DynamicValue] = [:]
        if case .map(let known)? = take(field) { map = known }
        map[entry.value(inner.fields[0])] = entry.value(inner.fields[1])
        self[field] = .map(map)
    }

    private static func element(
        _ field: FieldSchema, _ reader: inout WireReader
    ) throws(ProtobufError) -> DynamicValue {
        guard let inner = field.messageType else { return try scalar(field, &reader) }
        var message = DynamicMessage(inner)
        try message.merge(try reader.nested())
        return .message(message)
    }

    private static func scalar(
        _ field: FieldSchema, _ reader: inout WireReader
    ) throws(ProtobufError) -> DynamicValue {
        switch field.kind {
        case .double: .double(Double(bitPattern: try reader.fixed64()))
        case .float: .float(Float(bitPattern: try reader.fixed32()))
        case .int64: .int64(Int64(bitPattern: try reader.varint()))
        case .uint64: .uint64(try reader.varint())
        case .int32: .int32(Int32(truncatingIfNeeded: try reader.varint()))
        case .fixed64: .uint64(try reader.fixed64())
        case .fixed32: .uint32(try reader.fixed32())
        case .bool: .bool(try reader.varint() != 0)
        case .string where field.requiresUTF8: .string(try reader.string())
        case .string: .string(String(decoding: try reader.lengthDelimited(), as: UTF8.self))
        case .bytes, .message, .group: .bytes(try reader.lengthDelimited())
        case .uint32: .uint32(UInt32(truncatingIfNeeded: try reader.varint()))
        case .enumeration: .enumeration(Int32(truncatingIfNeeded: try reader.varint()))
        case .sfixed32: .int32(Int32(bitPattern: try reader.fixed32()))
        case .sfixed64: .int64(Int64(bitPattern: try reader.fixed64()))
        case .sint32:
            .int32(ZigZag.decode(UInt32(truncatingIfNeeded: try reader.varint())))
        case .sint64: .int64(ZigZag.decode(try reader.varint()))
        }
    }
}
