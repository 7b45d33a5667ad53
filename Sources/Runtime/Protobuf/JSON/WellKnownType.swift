/// Message types with a JSON form of their own (ProtoJSON, "Well-known types").
enum WellKnownType: Sendable {
    case timestamp, duration, fieldMask, structure, value, listValue, any, empty
    /// `google.protobuf.Int32Value` and its like: field 1 alone.
    case wrapper

    init?(_ fullName: String) {
        let prefix = "google.protobuf."
        guard fullName.hasPrefix(prefix) else { return nil }
        switch fullName.dropFirst(prefix.count) {
        case "Timestamp": self = .timestamp
        case "Duration": self = .duration
        case "FieldMask": self = .fieldMask
        case "Struct": self = .structure
        case "Value": self = .value
        case "ListValue": self = .listValue
        case "Any": self = .any
        case "Empty": self = .empty
        case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value",
            "UInt32Value", "BoolValue", "StringValue", "BytesValue":
            self = .wrapper
        default: return nil
        }
    }

    /// Whether a message of the name has the fields that the JSON form is made of. A stranger's
    /// `Value` whose `struct_value` is a `Value` again would never end.
    func fits(_ schema: MessageSchema) -> Bool {
        func has(_ number: Int32, _ kind: FieldSchema.Kind, repeated: Bool = false) -> Bool {
            guard let field = schema.field(number: number) else { return false }
            return field.kind == kind && field.isRepeated == repeated
        }
        func has(_ number: Int32, _ type: String) -> Bool {
            has(number, .message)
                && schema.field(number: number)?.messageType?.fullName == "google.protobuf.\(type)"
        }
        return switch self {
        case .empty: true
        case .timestamp, .duration: has(1, .int64) && has(2, .int32)
        case .fieldMask: has(1, .string, repeated: true)
        case .any: has(1, .string) && has(2, .bytes)
        case .structure, .listValue: has(1, .message, repeated: true)
        case .value:
            has(1, .enumeration) && has(2, .double) && has(3, .string) && has(4, .bool)
                && has(5, "Struct") && has(6, "ListValue")
        case .wrapper:
            schema.field(number: 1).map { !$0.isRepeated && !$0.isMessage } ?? false
        }
    }
}
