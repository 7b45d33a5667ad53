extension ProtoJSONPrinter {
    mutating func wellKnown(
        _ type: WellKnownType, _ message: DynamicMessage
    ) throws(ProtobufError) {
        let schema = message.schema
        switch type {
        case .empty: writer.raw("{}")
        case .timestamp:
            let (seconds, nanos) = time(message)
            try text(WellKnownText.text(timestamp: seconds, nanos), "timestamp out of range")
        case .duration:
            let (seconds, nanos) = time(message)
            try text(WellKnownText.text(duration: seconds, nanos), "duration out of range")
        case .fieldMask:
            let paths = schema.field(number: 1).flatMap { message[$0]?.listValue } ?? []
            try text(
                WellKnownText.text(fieldMask: paths.compactMap(\.stringValue)),
                "a path of the field mask has no JSON form")
        case .structure, .listValue, .wrapper:
            guard let field = schema.field(number: 1) else { throw lacking(schema) }
            try value(message.value(field), field)
        case .value: try jsonValue(message)
        case .any: try any(message)
        }
    }

    private func lacking(_ schema: MessageSchema) -> ProtobufError {
        ProtobufError(.schema, "\(schema.fullName) lacks its field")
    }

    private func time(_ message: DynamicMessage) -> (Int64, Int32) {
        let seconds = message["seconds"]?.integerValue ?? 0
        let nanos = message["nanos"]?.integerValue ?? 0
        return (seconds, Int32(truncatingIfNeeded: nanos))
    }

    private mutating func text(_ text: String?, _ complaint: String) throws(ProtobufError) {
        guard let text else { throw ProtobufError(.unrepresentable, complaint) }
        writer.string(text)
    }

    private mutating func jsonValue(_ message: DynamicMessage) throws(ProtobufError) {
        guard let (field, kind) = message.setFields.first else {
            throw ProtobufError(.unrepresentable, "a Value without a kind has no JSON form")
        }
        if case .double(let number) = kind, !number.isFinite {
            throw ProtobufError(.unrepresentable, "a Value cannot hold \(number)")
        }
        try value(kind, field)
    }

    private mutating func any(_ message: DynamicMessage) throws(ProtobufError) {
        let schema = message.schema
        guard let urlField = schema.field(number: 1), let bytesField = schema.field(number: 2)
        else { throw lacking(schema) }
        let url = message[urlField]?.stringValue ?? ""
        let bytes = message[bytesField]?.bytesValue ?? []
        if url.isEmpty, bytes.isEmpty {
            writer.raw("{}")
            return
        }
        let name = url.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let type = pool.message(String(name)) else {
            throw ProtobufError(.unrepresentable, "the type \"\(url)\" is unknown")
        }
        let content = try DynamicMessage(decoding: bytes, schema: type)
        writer.open("{")
        writer.key("@type")
        writer.string(url)
        if type.wellKnown == nil {
            try members(content)
        } else {
            writer.key("value")
            try self.message(content)
        }
        writer.close("}")
    }
}
