/// A message whose type is known at run time only.
public struct DynamicMessage: Sendable, Hashable {
    public let schema: MessageSchema
    public var unknownFields = UnknownFields()
    /// By `FieldSchema.index`; nil is unset.
    private var values: [DynamicValue?]

    public init(_ schema: MessageSchema) {
        self.schema = schema
        values = Array(repeating: nil, count: schema.fields.count)
    }

    /// The field's value, nil when unset. Setting a member of a oneof unsets the others.
    ///
    /// The field must be one of `schema.fields`.
    public subscript(field: FieldSchema) -> DynamicValue? {
        get { values[field.index] }
        set {
            if newValue != nil, let oneof = field.oneof {
                for member in oneof.fields { values[member.index] = nil }
            }
            values[field.index] = newValue
        }
    }

    /// By the field's name or JSON name; unknown names read as nil and trap when set.
    public subscript(name: String) -> DynamicValue? {
        get { schema.field(named: name).flatMap { values[$0.index] } }
        set {
            guard let field = schema.field(named: name) else {
                preconditionFailure("\(schema.fullName) has no field \(name)")
            }
            self[field] = newValue
        }
    }

    /// The field's value or its default.
    public func value(_ field: FieldSchema) -> DynamicValue {
        values[field.index] ?? DynamicValue.default(field)
    }

    /// Set fields in declaration order.
    public var setFields: [(field: FieldSchema, value: DynamicValue)] {
        schema.fields.compactMap { field in values[field.index].map { (field, $0) } }
    }

    public init(_ message: some Message) throws(ProtobufError) {
        try self.init(decoding: message.encoded(), schema: type(of: message).schema)
    }

    /// The same message as a generated type, through the wire format.
    public func typed<T: Message>(_ type: T.Type = T.self) throws(ProtobufError) -> T {
        try T(decoding: encoded())
    }

    static func none(_ field: FieldSchema) -> MessageSchema {
        preconditionFailure("\(field.fullName) is used before its file is linked")
    }
}
