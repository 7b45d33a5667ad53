extension DynamicMessage {
    /// The wire bytes: fields by number, map entries by key, so equal messages encode equally.
    public func encoded() -> [UInt8] {
        var writer = WireWriter()
        write(&writer)
        return writer.bytes
    }

    private func write(_ writer: inout WireWriter) {
        for field in schema.fieldsByNumber {
            guard let value = self[field] else { continue }
            let number = UInt32(bitPattern: field.number)
            switch value {
            case .list(let list): DynamicMessage.write(list, field, &writer)
            case .map(let map):
                for (key, value) in map.sorted(by: { DynamicValue.precedes($0.key, $1.key) }) {
                    writer.field(number) { entry in
                        guard let type = field.messageType else { return }
                        DynamicMessage.write(key, type.fields[0], &entry)
                        DynamicMessage.write(value, type.fields[1], &entry)
                    }
                }
            default:
                if field.cardinality == .implicit, value.isZero { continue }
                DynamicMessage.write(value, field, &writer)
            }
        }
        writer.raw(unknownFields.bytes)
    }

    private static func write(
        _ list: [DynamicValue], _ field: FieldSchema, _ writer: inout WireWriter
    ) {
        if list.isEmpty { return }
        if field.isPacked {
            writer.field(UInt32(bitPattern: field.number)) { packed in
                for value in list { payload(value, field, &packed) }
            }
        } else {
            for value in list { write(value, field, &writer) }
        }
    }

    /// One element with its tag.
    private static func write(
        _ value: DynamicValue, _ field: FieldSchema, _ writer: inout WireWriter
    ) {
        let number = UInt32(bitPattern: field.number)
        if case .message(let message) = value {
            writer.field(number, message: message.write)
            return
        }
        writer.tag(number, field.kind.wireType)
        payload(value, field, &writer)
    }

    /// One element without its tag; a value of another type than the field's is a caller's defect.
    private static func payload(
        _ value: DynamicValue, _ field: FieldSchema, _ writer: inout WireWriter
    ) {
        switch (field.kind, value) {
        case (.double, .double(let value)): writer.fixed64(value.bitPattern)
        case (.float, .float(let value)): writer.fixed32(value.bitPattern)
        case (.int64, .int64(let value)): writer.varint(UInt64(bitPattern: value))
        case (.uint64, .uint64(let value)): writer.varint(value)
        case (.int32, .int32(let value)), (.enumeration, .enumeration(let value)):
            writer.varint(UInt64(bitPattern: Int64(value)))
        case (.fixed64, .uint64(let value)): writer.fixed64(value)
        case (.fixed32, .uint32(let value)): writer.fixed32(value)
        case (.bool, .bool(let value)): writer.varint(value ? 1 : 0)
        case (.string, .string(let value)): writer.lengthDelimited(Array(value.utf8))
        case (.bytes, .bytes(let value)): writer.lengthDelimited(value)
        case (.uint32, .uint32(let value)): writer.varint(UInt64(value))
        case (.sfixed32, .int32(let value)): writer.fixed32(UInt32(bitPattern: value))
        case (.sfixed64, .int64(let value)): writer.fixed64(UInt64(bitPattern: value))
        case (.sint32, .int32(let value)): writer.varint(UInt64(ZigZag.encode(value)))
        case (.sint64, .int64(let value)): writer.varint(ZigZag.encode(value))
        default: preconditionFailure("\(field.fullName) cannot hold \(value)")
        }
    }
}
