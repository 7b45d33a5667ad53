import Protobuf

/// How one field is spelled: its type, and the calls that read and write it.
struct FieldCode {
    let field: FieldSchema
    /// The property or the case of the oneof, not escaped.
    let name: String
    /// `Swift::String`, `BookingV1.Booking`.
    let element: String

    init(_ field: FieldSchema, name: String, types: TypeNames) {
        self.field = field
        self.name = name
        element = FieldCode.type(field, types)
    }

    private static func type(_ field: FieldSchema, _ types: TypeNames) -> String {
        switch field.kind {
        case .message, .group: field.messageType.map { types.path($0) } ?? field.typeName
        case .enumeration: field.enumType.map { types.path($0) } ?? field.typeName
        case .double: "Swift::Double"
        case .float: "Swift::Float"
        case .int64, .sint64, .sfixed64: "Swift::Int64"
        case .uint64, .fixed64: "Swift::UInt64"
        case .int32, .sint32, .sfixed32: "Swift::Int32"
        case .uint32, .fixed32: "Swift::UInt32"
        case .bool: "Swift::Bool"
        case .string: "Swift::String"
        case .bytes: "[Swift::UInt8]"
        }
    }

    /// The reader's and writer's function for one value.
    private var single: String {
        switch field.kind {
        case .message, .group: "message"
        case .enumeration: "enumeration"
        case .double: "double"
        case .float: "float"
        case .int64, .sint64, .sfixed64: "int64"
        case .uint64, .fixed64: "uint64"
        case .int32, .sint32, .sfixed32: "int32"
        case .uint32, .fixed32: "uint32"
        case .bool: "bool"
        case .string: "string"
        case .bytes: "bytes"
        }
    }

    /// The same for a list.
    private var list: String { field.kind == .bytes ? "bytesList" : "\(single)s" }

    private var setter: String { "set\(single.prefix(1).uppercased())\(single.dropFirst())" }

    /// What a property holds before anything is read.
    var zero: String {
        switch field.kind {
        case .string: "\"\""
        case .bytes: "[]"
        case .bool: "false"
        case .enumeration: "\(element)(rawValue: 0)"
        case .message, .group: "\(element)()"
        default: "0"
        }
    }

    /// The default value that a proto2 file gives the field, for its documentation.
    var absent: String? {
        field.defaultValue.map { field.kind == .string ? "\"\($0)\"" : "`\($0)`" }
    }

    /// One value that is not a message.
    func read(_ reader: String = "reader") -> String {
        let value = "\(reader).\(single)(\(field.index))"
        return field.kind == .enumeration ? "\(element)(rawValue: \(value))" : value
    }

    /// One message, an optional.
    func readMessage(_ reader: String = "reader") -> String {
        "try \(reader).message(\(field.index), \(element).self)"
    }

    func readList() -> String {
        switch field.kind {
        case .message, .group: "try reader.messages(\(field.index), \(element).self)"
        case .enumeration: "reader.\(list)(\(field.index)).map { \(element)(rawValue: $0) }"
        default: "reader.\(list)(\(field.index))"
        }
    }

    /// A value without tracked presence, or a message.
    func write(_ value: String, to writer: String = "writer") -> String {
        "\(writer).\(single)(\(field.index), \(value)\(raw))"
    }

    /// A value whose presence is tracked.
    func set(_ value: String) -> String {
        field.isMessage ? write(value) : "writer.\(setter)(\(field.index), \(value)\(raw))"
    }

    func writeList(_ value: String) -> String {
        let values = field.kind == .enumeration ? "\(value).map { $0.rawValue }" : value
        return "writer.\(list)(\(field.index), \(values))"
    }

    private var raw: String { field.kind == .enumeration ? ".rawValue" : "" }
}
