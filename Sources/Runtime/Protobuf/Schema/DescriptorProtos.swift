/// The parts of `google/protobuf/descriptor.proto` that schemas are made of, read with
/// `WireReader` because descriptors come before any schema.
struct FileProto {
    var serialized: [UInt8] = []
    var name = ""
    var package = ""
    var syntax = "proto2"
    var dependencies: [String] = []
    var publicDependencies: [Int] = []
    var messages: [MessageProto] = []
    var enums: [EnumProto] = []
    var services: [ServiceProto] = []
    var extensions: [FieldProto] = []
    var options: [UInt8] = []
    var comments: [[Int32]: FileSchema.Comments] = [:]

    init(_ bytes: [UInt8]) throws(ProtobufError) {
        serialized = bytes
        var reader = WireReader(bytes)
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): package = try reader.string()
            case (3, .bytes): dependencies.append(try reader.string())
            case (4, .bytes): messages.append(try MessageProto(try reader.nested()))
            case (5, .bytes): enums.append(try EnumProto(try reader.nested()))
            case (6, .bytes): services.append(try ServiceProto(try reader.nested()))
            case (7, .bytes): extensions.append(try FieldProto(try reader.nested()))
            case (8, .bytes): options += try reader.lengthDelimited()
            case (9, .bytes): try readSourceInfo(try reader.nested())
            case (10, .varint):
                publicDependencies.append(Int(truncatingIfNeeded: try reader.varint()))
            case (12, .bytes): syntax = try reader.string()
            default: try reader.skip(tag.number, tag.type)
            }
        }
    }

    private mutating func readSourceInfo(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        while let tag = try reader.tag() {
            guard tag.number == 1, tag.type == .bytes else {
                try reader.skip(tag.number, tag.type)
                continue
            }
            try readLocation(try reader.nested())
        }
    }

    private mutating func readLocation(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        var path: [Int32] = []
        var found = FileSchema.Comments()
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes):
                var packed = try reader.nested()
                while !packed.isAtEnd {
                    path.append(Int32(truncatingIfNeeded: try packed.varint()))
                }
            case (1, .varint): path.append(Int32(truncatingIfNeeded: try reader.varint()))
            case (3, .bytes): found.leading = try reader.string()
            case (4, .bytes): found.trailing = try reader.string()
            case (6, .bytes): found.detached.append(try reader.string())
            default: try reader.skip(tag.number, tag.type)
            }
        }
        if found != FileSchema.Comments() { comments[path] = found }
    }
}

struct MessageProto {
    var name = ""
    var fields: [FieldProto] = []
    var extensions: [FieldProto] = []
    var messages: [MessageProto] = []
    var enums: [EnumProto] = []
    var oneofs: [String] = []
    var options: [UInt8] = []

    init(_ source: WireReader, depth: Int = 32) throws(ProtobufError) {
        guard depth > 0 else { throw ProtobufError(.tooDeep, "messages nest too deeply") }
        var reader = source
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): fields.append(try FieldProto(try reader.nested()))
            case (3, .bytes):
                messages.append(try MessageProto(try reader.nested(), depth: depth - 1))
            case (4, .bytes): enums.append(try EnumProto(try reader.nested()))
            case (6, .bytes): extensions.append(try FieldProto(try reader.nested()))
            case (7, .bytes): options += try reader.lengthDelimited()
            case (8, .bytes): oneofs.append(try MessageProto.name(of: try reader.nested()))
            default: try reader.skip(tag.number, tag.type)
            }
        }
    }

    private static func name(of oneof: WireReader) throws(ProtobufError) -> String {
        var reader = oneof
        var name = ""
        while let tag = try reader.tag() {
            if tag.number == 1, tag.type == .bytes {
                name = try reader.string()
            } else {
                try reader.skip(tag.number, tag.type)
            }
        }
        return name
    }
}

struct FieldProto {
    var name = ""
    var number: Int32 = 0
    var label: UInt64 = 1
    var kind = FieldSchema.Kind.message
    var typeName = ""
    var extendee: String?
    var defaultValue: String?
    var options: [UInt8] = []
    var oneofIndex: Int?
    var jsonName: String?
    var isProto3Optional = false

    init(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        var type: UInt64 = 0
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): extendee = FieldProto.absolute(try reader.string())
            case (3, .varint): number = Int32(truncatingIfNeeded: try reader.varint())
            case (4, .varint): label = try reader.varint()
            case (5, .varint): type = try reader.varint()
            case (6, .bytes): typeName = FieldProto.absolute(try reader.string())
            case (7, .bytes): defaultValue = try reader.string()
            case (8, .bytes): options += try reader.lengthDelimited()
            case (9, .varint): oneofIndex = Int(truncatingIfNeeded: try reader.varint())
            case (10, .bytes): jsonName = try reader.string()
            case (17, .varint): isProto3Optional = try reader.varint() != 0
            default: try reader.skip(tag.number, tag.type)
            }
        }
        guard type <= 18, let known = FieldSchema.Kind(rawValue: UInt8(type)), number > 0 else {
            throw ProtobufError(.schema, "field \(name) has type \(type) and number \(number)")
        }
        kind = known
    }

    /// Descriptors name types with a leading dot.
    static func absolute(_ name: String) -> String {
        name.utf8.first == UInt8(ascii: ".") ? String(name.dropFirst()) : name
    }
}

struct EnumProto {
    var name = ""
    var values: [EnumSchema.Value] = []
    var options: [UInt8] = []

    init(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): values.append(try EnumProto.value(try reader.nested()))
            case (3, .bytes): options += try reader.lengthDelimited()
            default: try reader.skip(tag.number, tag.type)
            }
        }
    }

    private static func value(_ source: WireReader) throws(ProtobufError) -> EnumSchema.Value {
        var reader = source
        var name = ""
        var number: Int32 = 0
        var options: [UInt8] = []
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .varint): number = Int32(truncatingIfNeeded: try reader.varint())
            case (3, .bytes): options += try reader.lengthDelimited()
            default: try reader.skip(tag.number, tag.type)
            }
        }
        return EnumSchema.Value(name: name, number: number, options: Options(options))
    }
}

struct ServiceProto {
    var name = ""
    var methods: [MethodProto] = []
    var options: [UInt8] = []

    init(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): methods.append(try MethodProto(try reader.nested()))
            case (3, .bytes): options += try reader.lengthDelimited()
            default: try reader.skip(tag.number, tag.type)
            }
        }
    }
}

struct MethodProto {
    var name = ""
    var input = ""
    var output = ""
    var options: [UInt8] = []
    var clientStreaming = false
    var serverStreaming = false

    init(_ source: WireReader) throws(ProtobufError) {
        var reader = source
        while let tag = try reader.tag() {
            switch (tag.number, tag.type) {
            case (1, .bytes): name = try reader.string()
            case (2, .bytes): input = FieldProto.absolute(try reader.string())
            case (3, .bytes): output = FieldProto.absolute(try reader.string())
            case (4, .bytes): options += try reader.lengthDelimited()
            case (5, .varint): clientStreaming = try reader.varint() != 0
            case (6, .varint): serverStreaming = try reader.varint() != 0
            default: try reader.skip(tag.number, tag.type)
            }
        }
    }
}
