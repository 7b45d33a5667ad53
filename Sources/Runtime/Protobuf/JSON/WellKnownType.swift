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
}
