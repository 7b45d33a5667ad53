import Protobuf

/// What holds messages, fields and extensions: a message, or a file.
struct ProtoBody {
    typealias Field = GoogleProtobuf.FieldDescriptorProto

    /// Full name: where names inside it are looked up from.
    let scope: String
    /// In the file's `SourceCodeInfo`.
    let path: [Int32]
    let messages: [GoogleProtobuf.DescriptorProto]
    let fields: [Field]
    let oneofs: [GoogleProtobuf.OneofDescriptorProto]
    let extensions: [Field]
    let messageNumber: Int32
    let extensionNumber: Int32

    init(_ file: GoogleProtobuf.FileDescriptorProto) {
        scope = file.package ?? ""
        path = []
        messages = file.messageType
        fields = []
        oneofs = []
        extensions = file.extension
        messageNumber = 4
        extensionNumber = 7
    }

    init(_ message: GoogleProtobuf.DescriptorProto, in outer: String, path: [Int32]) {
        scope = ProtoBody.join(outer, message.name)
        self.path = path
        messages = message.nestedType
        fields = message.field
        oneofs = message.oneofDecl
        extensions = message.extension
        messageNumber = 3
        extensionNumber = 6
    }

    static func join(_ scope: String, _ name: String?) -> String {
        scope.isEmpty ? name ?? "" : "\(scope).\(name ?? "")"
    }

    /// The field whose declaration declares the message too: a map, or a group.
    func owner(of message: GoogleProtobuf.DescriptorProto) -> (index: Int, isExtension: Bool)? {
        let name = ".\(ProtoBody.join(scope, message.name))"
        let isEntry = message.options?.mapEntry == true
        func declares(_ field: Field) -> Bool {
            field.typeName == name && (isEntry || field.type == .group)
        }
        if let index = fields.firstIndex(where: declares) { return (index, false) }
        return extensions.firstIndex(where: declares).map { ($0, true) }
    }

    /// The message that a map or group field of this body declares.
    func declared(by field: Field) -> (message: GoogleProtobuf.DescriptorProto, path: [Int32])? {
        guard field.type == .group || field.type == .message else { return nil }
        let index = messages.firstIndex { message in
            field.typeName == ".\(ProtoBody.join(scope, message.name))"
                && (field.type == .group || message.options?.mapEntry == true)
        }
        return index.map { (messages[$0], path + [messageNumber, Int32($0)]) }
    }

    /// The oneof that was written around a field; not that of a proto3 `optional`.
    func oneof(of field: Field) -> Int32? {
        field.proto3Optional == true ? nil : field.oneofIndex
    }
}
