import Protobuf

/// An example of a message as JSON, to fill in: every field once, of a oneof the first member.
enum MessageTemplate {
    static func json(_ schema: MessageSchema, originalNames: Bool) -> JSONValue {
        json(schema, originalNames, within: [])
    }

    private static func json(
        _ schema: MessageSchema, _ originalNames: Bool, within outer: Set<String>
    ) -> JSONValue {
        if let known = wellKnown(schema) { return known }
        let outer = outer.union([schema.fullName])
        var members: [(key: String, value: JSONValue)] = []
        for field in schema.fields {
            if let oneof = field.oneof, oneof.fields.first != field { continue }
            guard let value = value(field, originalNames, outer) else { continue }
            members.append((originalNames ? field.name : field.jsonName, value))
        }
        return .object(members)
    }

    /// Nil for a message that contains itself: it would never end.
    private static func value(
        _ field: FieldSchema, _ originalNames: Bool, _ outer: Set<String>
    ) -> JSONValue? {
        if field.isMap {
            guard let entry = field.messageType, entry.fields.count == 2,
                let value = element(entry.fields[1], originalNames, outer)
            else { return nil }
            return .object([(key: key(entry.fields[0]), value: value)])
        }
        guard let element = element(field, originalNames, outer) else {
            return field.isRepeated ? .array([]) : nil
        }
        return field.isRepeated ? .array([element]) : element
    }

    private static func element(
        _ field: FieldSchema, _ originalNames: Bool, _ outer: Set<String>
    ) -> JSONValue? {
        switch field.kind {
        case .message, .group:
            guard let type = field.messageType, !outer.contains(type.fullName) else { return nil }
            return json(type, originalNames, within: outer)
        case .enumeration:
            if field.enumType?.fullName == "google.protobuf.NullValue" { return .null }
            return .string(field.enumType?.values.first?.name ?? "")
        case .string, .bytes: return ""
        case .bool: return false
        case .int64, .uint64, .sint64, .fixed64, .sfixed64: return "0"
        default: return 0
        }
    }

    private static func key(_ field: FieldSchema) -> String {
        switch field.kind {
        case .string: "key"
        case .bool: "false"
        default: "0"
        }
    }

    private static func wellKnown(_ schema: MessageSchema) -> JSONValue? {
        let prefix = "google.protobuf."
        guard schema.fullName.hasPrefix(prefix) else { return nil }
        switch schema.fullName.dropFirst(prefix.count) {
        case "Timestamp": return "2026-01-01T00:00:00Z"
        case "Duration": return "0s"
        case "FieldMask", "StringValue", "BytesValue": return ""
        case "Struct": return [:]
        case "ListValue": return []
        case "Value": return .null
        case "BoolValue": return false
        case "Int64Value", "UInt64Value": return "0"
        case "Int32Value", "UInt32Value", "DoubleValue", "FloatValue": return 0
        case "Any": return ["@type": "type.googleapis.com/google.protobuf.Duration", "value": "0s"]
        default: return nil
        }
    }
}
