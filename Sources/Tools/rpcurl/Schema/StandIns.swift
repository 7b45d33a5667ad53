import Protobuf

/// Types that a server's reflection refers to but does not deliver: an empty message, or an enum
/// without names, stands in for each, so that the rest of the schema can be used.
struct StandIns {
    private var declared: Set<String> = []
    /// Whether the name is an enum's, and the files that refer to it.
    private var wanted: [String: (isEnum: Bool, users: Set<Int>)] = [:]

    /// Full names, sorted.
    var missing: [String] { wanted.keys.filter { !declared.contains($0) }.sorted() }

    /// - Parameter files: serialized `FileDescriptorProto`s.
    init(_ files: [[UInt8]]) throws(ProtobufError) {
        for (index, bytes) in files.enumerated() {
            let file = try GoogleProtobuf.FileDescriptorProto(decoding: bytes)
            let scope = file.package ?? ""
            for message in file.messageType { add(message, scope, index) }
            for item in file.enumType { declared.insert(StandIns.join(scope, item.name)) }
            for field in file.extension { want(field, index) }
            for method in file.service.flatMap(\.method) {
                want(method.inputType ?? "", isEnum: false, index)
                want(method.outputType ?? "", isEnum: false, index)
            }
        }
    }

    private mutating func add(
        _ message: GoogleProtobuf.DescriptorProto, _ scope: String, _ file: Int
    ) {
        let name = StandIns.join(scope, message.name)
        declared.insert(name)
        for field in message.field + message.extension { want(field, file) }
        for nested in message.nestedType { add(nested, name, file) }
        for item in message.enumType { declared.insert(StandIns.join(name, item.name)) }
    }

    private mutating func want(_ field: GoogleProtobuf.FieldDescriptorProto, _ file: Int) {
        guard let name = field.typeName, !name.isEmpty else { return }
        want(name, isEnum: field.type == .enum, file)
    }

    private mutating func want(_ name: String, isEnum: Bool, _ file: Int) {
        // Names that do not begin with a dot are relative: no server sends them, protoc neither.
        guard name.hasPrefix(".") else { return }
        wanted[String(name.dropFirst()), default: (isEnum, [])].users.insert(file)
    }

    private static func join(_ scope: String, _ name: String?) -> String {
        scope.isEmpty ? name ?? "" : "\(scope).\(name ?? "")"
    }

    /// The files with stand-ins added, and imported where they are needed.
    func complete(_ files: [[UInt8]]) -> [[UInt8]] {
        var result = files
        for name in missing {
            guard let (isEnum, users) = wanted[name] else { continue }
            let path = "rpcurl/missing/\(name).proto"
            // Parts of a message merge by concatenation: this appends a dependency.
            for user in users {
                var dependency = WireWriter()
                dependency.field(3, string: path)
                result[user] += dependency.bytes
            }
            result.append(StandIns.file(name, path, isEnum: isEnum))
        }
        return result
    }

    private static func file(_ name: String, _ path: String, isEnum: Bool) -> [UInt8] {
        let split = name.lastIndex(of: ".")
        var file = WireWriter()
        file.field(1, string: path)
        if let split { file.field(2, string: String(name[..<split])) }
        let short = split.map { String(name[name.index(after: $0)...]) } ?? name
        if isEnum {
            file.field(5) { item in
                item.field(1, string: short)
                item.field(2) { value in
                    value.field(1, string: "\(short)_0")
                    value.field(2, varint: 0)
                }
            }
        } else {
            file.field(4) { $0.field(1, string: short) }
        }
        file.field(12, string: "proto3")
        return file.bytes
    }
}
