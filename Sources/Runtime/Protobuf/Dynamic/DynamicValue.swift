/// The value of a field of a `DynamicMessage`.
public enum DynamicValue: Sendable {
    /// `int32`, `sint32`, `sfixed32`.
    case int32(Int32)
    case int64(Int64)
    case uint32(UInt32)
    case uint64(UInt64)
    case float(Float)
    case double(Double)
    case bool(Bool)
    case string(String)
    case bytes([UInt8])
    case enumeration(Int32)
    case message(DynamicMessage)
    case list([DynamicValue])
    case map([DynamicValue: DynamicValue])

    /// What an unset field reads as: zero, empty, an empty message; proto2 defaults are ignored.
    public static func `default`(_ field: FieldSchema) -> DynamicValue {
        if field.isMap { return .map([:]) }
        if field.isRepeated { return .list([]) }
        return zero(field)
    }

    /// The zero of one element of a field.
    static func zero(_ field: FieldSchema) -> DynamicValue {
        switch field.kind {
        case .double: .double(0)
        case .float: .float(0)
        case .int64, .sfixed64, .sint64: .int64(0)
        case .uint64, .fixed64: .uint64(0)
        case .int32, .sfixed32, .sint32: .int32(0)
        case .uint32, .fixed32: .uint32(0)
        case .bool: .bool(false)
        case .string: .string("")
        case .bytes: .bytes([])
        case .enumeration: .enumeration(0)
        case .message, .group:
            .message(DynamicMessage(field.messageType ?? DynamicMessage.none(field)))
        }
    }

    /// The default that implicit presence leaves out; -0.0 is not a default.
    var isZero: Bool {
        switch self {
        case .int32(let value), .enumeration(let value): value == 0
        case .int64(let value): value == 0
        case .uint32(let value): value == 0
        case .uint64(let value): value == 0
        case .float(let value): value.bitPattern == 0
        case .double(let value): value.bitPattern == 0
        case .bool(let value): !value
        case .string(let value): value.isEmpty
        case .bytes(let value): value.isEmpty
        case .list(let value): value.isEmpty
        case .map(let value): value.isEmpty
        case .message: false
        }
    }

    /// Order of map keys, so that outputs are deterministic.
    static func precedes(_ left: DynamicValue, _ right: DynamicValue) -> Bool {
        switch (left, right) {
        case (.int32(let a), .int32(let b)): a < b
        case (.int64(let a), .int64(let b)): a < b
        case (.uint32(let a), .uint32(let b)): a < b
        case (.uint64(let a), .uint64(let b)): a < b
        case (.bool(let a), .bool(let b)): !a && b
        case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
        default: false
        }
    }
}

extension DynamicValue {
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var bytesValue: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var listValue: [DynamicValue]? { if case .list(let value) = self { value } else { nil } }

    public var messageValue: DynamicMessage? {
        if case .message(let value) = self { value } else { nil }
    }

    /// Any integer or enum that fits 64 signed bits.
    public var integerValue: Int64? {
        switch self {
        case .int32(let value), .enumeration(let value): Int64(value)
        case .int64(let value): value
        case .uint32(let value): Int64(value)
        case .uint64(let value): Int64(exactly: value)
        default: nil
        }
    }
}
