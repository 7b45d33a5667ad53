import Protobuf

/// Paths of fields through messages, as in path variables and query parameters.
enum FieldPath {
    /// The fields of a dotted path; all but the last are single messages.
    /// Errors: `.mismatch` with the path of the first name that does not exist.
    static func resolve(
        _ names: some Sequence<String>, in schema: MessageSchema
    ) throws(ProtobufError) -> [FieldSchema] {
        var fields: [FieldSchema] = []
        var current: MessageSchema? = schema
        for name in names {
            guard let message = current, let field = message.field(named: name) else {
                throw ProtobufError(
                    .mismatch, "\(schema.fullName) has no such field",
                    path: (fields.map(\.name) + [name]).joined(separator: "."))
            }
            fields.append(field)
            current = field.isRepeated ? nil : field.messageType
        }
        return fields
    }

    /// Calls `body` with the message that holds the last field, making those between.
    static func update(
        _ path: ArraySlice<FieldSchema>, of message: inout DynamicMessage,
        _ body: (inout DynamicMessage, FieldSchema) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        guard let field = path.first else { return }
        guard path.count > 1, let inner = field.messageType else {
            return try body(&message, field)
        }
        var nested = message[field]?.messageValue ?? DynamicMessage(inner)
        try update(path.dropFirst(), of: &nested, body)
        message[field] = .message(nested)
    }
}
