/// How a field's values look on the wire, for the codec's inner loops.
enum FieldCoding: UInt8 {
    case int32, uint32, varint64, zigzag32, zigzag64, bool, fixed32, fixed64
    /// Length-prefixed: `text` must be UTF-8.
    case bytes, text, message
    /// Never handled here (proto2 groups).
    case group

    init(_ field: FieldSchema) {
        self =
            switch field.kind {
            case .int32, .enumeration: .int32
            case .uint32: .uint32
            case .int64, .uint64: .varint64
            case .sint32: .zigzag32
            case .sint64: .zigzag64
            case .bool: .bool
            case .float, .fixed32, .sfixed32: .fixed32
            case .double, .fixed64, .sfixed64: .fixed64
            case .string: field.requiresUTF8 ? .text : .bytes
            case .bytes: .bytes
            case .message: .message
            case .group: .group
            }
    }

    /// Bytes of one element in the C struct's arrays, for scalars.
    var stride: Int {
        switch self {
        case .int32, .uint32, .zigzag32, .bool, .fixed32: 4
        case .varint64, .zigzag64, .fixed64, .message, .group: 8
        case .bytes, .text: 16
        }
    }

    var wireType: WireType {
        switch self {
        case .int32, .uint32, .varint64, .zigzag32, .zigzag64, .bool: .varint
        case .fixed32: .fixed32
        case .fixed64: .fixed64
        case .bytes, .text, .message: .bytes
        case .group: .startGroup
        }
    }
}
