/// One field of a message.
public final class FieldSchema: @unchecked Sendable {
    // @unchecked: `messageType` and `enumType` are set while linking, before anyone can see it.

    /// `FieldDescriptorProto.Type`.
    public enum Kind: UInt8, Sendable {
        case double = 1
        case float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message, bytes
        case uint32, enumeration, sfixed32, sfixed64, sint32, sint64
    }

    public enum Cardinality: Sendable {
        /// proto3 scalars: the default value means "not set".
        case implicit
        /// Presence is tracked: `optional`, messages, members of a oneof, proto2 fields.
        case optional
        case required
        /// Lists and maps.
        case repeated
    }

    public let name: String
    public let fullName: String
    /// camelCase, or what `json_name` says.
    public let jsonName: String
    public let number: Int32
    /// Position in `MessageSchema.fields`, the `i` of `MessageReader` and `MessageWriter`.
    public let index: Int
    public let kind: Kind
    public let cardinality: Cardinality
    public let isPacked: Bool
    /// Declared with `optional` in proto3.
    public let isProto3Optional: Bool
    /// Strings must be UTF-8 (proto3).
    public let requiresUTF8: Bool
    /// proto2 default value as text.
    public let defaultValue: String?
    public let options: Options
    /// Full name of the message that an extension extends, nil for plain fields.
    public let extendee: String?
    /// Full name of the message or enum type, empty for scalars.
    public let typeName: String
    /// Index of the oneof as declared, synthetic ones included.
    let oneofIndex: Int?

    /// The oneof the field belongs to; nil for the synthetic oneof of a proto3 `optional`.
    public internal(set) var oneof: OneofSchema?
    public internal(set) var messageType: MessageSchema?
    public internal(set) var enumType: EnumSchema?

    init(_ proto: FieldProto, index: Int, scope: String, syntax: FileSchema.Syntax) {
        let isProto3 = syntax == .proto3
        name = proto.name
        fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
        jsonName = proto.jsonName ?? FieldSchema.jsonName(of: proto.name)
        number = proto.number
        self.index = index
        kind = proto.kind
        isProto3Optional = proto.isProto3Optional
        requiresUTF8 = proto.kind == .string && isProto3
        defaultValue = proto.defaultValue
        options = Options(proto.options)
        extendee = proto.extendee
        typeName = proto.typeName
        oneofIndex = proto.oneofIndex
        switch proto.label {
        case 3: cardinality = .repeated
        case 2: cardinality = .required
        default:
            let tracked =
                !isProto3 || proto.isProto3Optional || proto.oneofIndex != nil
                || proto.kind == .message || proto.kind == .group
            cardinality = tracked ? .optional : .implicit
        }
        let packable = proto.label == 3 && !proto.kind.isLengthDelimited
        // `packed` is field 2 of FieldOptions; its default depends on the syntax.
        let packed = options.varint(extension: 2).map { $0 != 0 }
        isPacked = packable && (packed ?? isProto3)
    }

    public var isRepeated: Bool { cardinality == .repeated }
    public var isMap: Bool { isRepeated && messageType?.isMapEntry == true }
    public var isMessage: Bool { kind == .message || kind == .group }
    /// The field's presence can be asked for.
    public var hasPresence: Bool { cardinality == .optional || cardinality == .required }

    /// What protoc computes when `json_name` is absent.
    static func jsonName(of name: String) -> String {
        var result = ""
        var raise = false
        for scalar in name.unicodeScalars {
            if scalar == "_" {
                raise = true
            } else {
                let upper = raise && scalar.isASCII && scalar.properties.isLowercase
                result.unicodeScalars.append(
                    upper ? Unicode.Scalar(UInt8(scalar.value) - 32) : scalar)
                raise = false
            }
        }
        return result
    }
}

extension FieldSchema.Kind {
    /// Strings, bytes, messages; groups too, since neither can be packed.
    public var isLengthDelimited: Bool {
        self == .string || self == .bytes || self == .message || self == .group
    }

    /// The wire type of one unpacked element.
    public var wireType: WireType {
        switch self {
        case .double, .fixed64, .sfixed64: .fixed64
        case .float, .fixed32, .sfixed32: .fixed32
        case .string, .bytes, .message: .bytes
        case .group: .startGroup
        default: .varint
        }
    }
}

extension FieldSchema: Hashable {
    public static func == (left: FieldSchema, right: FieldSchema) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A oneof written in the .proto file; synthetic ones are not listed.
public final class OneofSchema: @unchecked Sendable {
    // @unchecked: written while linking only.
    public let name: String
    /// Position in the message's declaration, for `FileSchema.comments`.
    public let index: Int
    public internal(set) var fields: [FieldSchema] = []

    init(name: String, index: Int) {
        self.name = name
        self.index = index
    }
}
