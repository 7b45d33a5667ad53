import Protobuf

/// Prints declarations, or whole files, as .proto source, comments included when the descriptors
/// have them. protoc makes the same descriptors of a printed file.
///
/// Lost are only options whose extension no file declares: a comment stands for each.
struct ProtoPrinter {
    let options: OptionReader
    let names: TypeNames
    var lines: [String] = []
    private var level = 0
    /// The file whose declarations are printed.
    private(set) var file: FileSchema?
    private(set) var isProto3 = false
    /// Comments that belong to no declaration are printed as well.
    private var keepsDetached = false

    init(_ pool: DescriptorPool) {
        options = OptionReader(pool: pool)
        names = TypeNames(pool)
    }

    var text: String { lines.joined(separator: "\n") }

    // MARK: One declaration

    mutating func service(_ service: ServiceSchema) {
        guard let proto = open(service.file, service.fullName)?.service(service.path) else {
            return
        }
        self.service(proto, path: service.path)
    }

    mutating func method(_ method: MethodSchema, of service: ServiceSchema) {
        guard let proto = open(service.file, method.fullName)?.service(service.path),
            let index = method.path.last.map(Int.init), proto.method.indices.contains(index)
        else { return }
        self.method(proto.method[index], in: service.fullName, path: method.path)
    }

    mutating func message(_ message: MessageSchema) {
        guard let proto = open(message.file, message.fullName)?.message(message.path) else {
            return
        }
        self.message(proto, in: ProtoPrinter.outer(message.fullName), path: message.path)
    }

    /// A field, or a oneof, by its name; adds nothing when there is none.
    mutating func member(_ name: String, of message: MessageSchema) {
        guard let proto = begin(message.file)?.message(message.path) else { return }
        let body = ProtoBody(
            proto, in: ProtoPrinter.outer(message.fullName), path: message.path)
        var index = body.fields.firstIndex { $0.name == name }
        let isField = index != nil
        if let oneof = body.oneofs.firstIndex(where: { $0.name == name }), !isField {
            index = body.fields.firstIndex { body.oneof(of: $0) == Int32(oneof) }
        }
        guard var index else { return }
        add("// \(message.fullName).\(name), declared in \(message.file.name)")
        if isField {
            field(body.fields[index], body, path: body.path + [2, Int32(index)])
        } else {
            field(body, &index)
        }
    }

    mutating func enumeration(_ item: EnumSchema) {
        guard let proto = open(item.file, item.fullName)?.enumeration(item.path) else { return }
        enumeration(proto, in: ProtoPrinter.outer(item.fullName), path: item.path)
    }

    /// - Parameter message: the one that the extension is declared in.
    mutating func extensionField(
        _ field: FieldSchema, in message: MessageSchema?, of file: FileSchema
    ) {
        guard let proto = open(file, field.fullName) else { return }
        var body = ProtoBody(proto)
        if let message {
            guard let inner = proto.message(message.path) else { return }
            body = ProtoBody(
                inner, in: ProtoPrinter.outer(message.fullName), path: message.path)
        }
        extensions(body, field.index...field.index)
    }

    private static func outer(_ fullName: String) -> String {
        fullName.lastIndex(of: ".").map { String(fullName[..<$0]) } ?? ""
    }

    private mutating func open(
        _ file: FileSchema, _ fullName: String
    ) -> GoogleProtobuf.FileDescriptorProto? {
        guard let proto = begin(file) else { return nil }
        add("// \(fullName), declared in \(file.name)")
        return proto
    }

    // MARK: A file

    /// - Throws: `Failure` when the file's edition cannot be written.
    mutating func file(_ file: FileSchema) throws(Failure) {
        guard let proto = begin(file) else {
            throw Failure("the descriptor of \(file.name) is damaged")
        }
        let syntax = proto.syntax ?? "proto2"
        guard syntax == "proto2" || syntax == "proto3" else {
            throw Failure("\(file.name) uses \(syntax): only proto2 and proto3 can be written")
        }
        keepsDetached = true
        comments([12])
        add("syntax = \(TextFormat.quoted(Array(syntax.utf8)));")
        if let package = proto.package, !package.isEmpty {
            add("")
            comments([2])
            add("package \(package);")
        }
        imports(proto)
        if let options = proto.options {
            add("")
            statements(options.encoded(), "FileOptions", in: file.package)
        }
        for (index, service) in proto.service.enumerated() {
            add("")
            self.service(service, path: [6, Int32(index)])
        }
        for (index, item) in proto.enumType.enumerated() {
            add("")
            enumeration(item, in: file.package, path: [5, Int32(index)])
        }
        members(ProtoBody(proto), apart: true)
    }

    private mutating func begin(_ file: FileSchema) -> GoogleProtobuf.FileDescriptorProto? {
        self.file = file
        isProto3 = file.syntax == .proto3
        return try? GoogleProtobuf.FileDescriptorProto(decoding: file.serialized)
    }

    private mutating func imports(_ file: GoogleProtobuf.FileDescriptorProto) {
        if !file.dependency.isEmpty { add("") }
        for (index, name) in file.dependency.enumerated() {
            comments([3, Int32(index)])
            let kind =
                if file.publicDependency.contains(Int32(index)) {
                    "public "
                } else if file
                    .weakDependency.contains(Int32(index))
                { "weak " } else { "" }
            add("import \(kind)\(TextFormat.quoted(Array(name.utf8)));")
        }
    }

    // MARK: Lines

    mutating func add(_ line: String) {
        lines.append(line.isEmpty ? "" : String(repeating: "  ", count: level) + line)
    }

    /// `head {`, the lines that the closure adds, `}`.
    mutating func block(_ head: String, _ body: (inout ProtoPrinter) -> Void) {
        add("\(head) {")
        level += 1
        body(&self)
        level -= 1
        add("}")
    }

    /// `head;`, or a block when the closure adds lines.
    mutating func statement(_ head: String, _ body: (inout ProtoPrinter) -> Void) {
        let count = lines.count
        block(head, body)
        guard lines.count == count + 2 else { return }
        lines.removeLast(2)
        add("\(head);")
    }

    mutating func comments(_ path: [Int32]) {
        guard let comments = file?.comments(path) else { return }
        for text in keepsDetached ? comments.detached : [] {
            comment(text)
            add("")
        }
        comment(comments.leading)
        comment(comments.trailing)
    }

    private mutating func comment(_ text: String) {
        var parts = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        if parts.last?.isEmpty == true { parts.removeLast() }
        for part in parts { add("//\(part)") }
    }
}

extension GoogleProtobuf.FileDescriptorProto {
    /// The declaration at a path of `SourceCodeInfo`.
    fileprivate func message(_ path: [Int32]) -> GoogleProtobuf.DescriptorProto? {
        guard path.count >= 2, path.count % 2 == 0, path[0] == 4 else { return nil }
        var found = ProtoPrinter.element(messageType, path[1])
        for index in stride(from: 2, to: path.count, by: 2) {
            found = found.flatMap { ProtoPrinter.element($0.nestedType, path[index + 1]) }
        }
        return found
    }

    fileprivate func enumeration(_ path: [Int32]) -> GoogleProtobuf.EnumDescriptorProto? {
        guard let index = path.last else { return nil }
        if path.count == 2 { return ProtoPrinter.element(enumType, index) }
        return message(path.dropLast(2)).flatMap { ProtoPrinter.element($0.enumType, index) }
    }

    fileprivate func service(_ path: [Int32]) -> GoogleProtobuf.ServiceDescriptorProto? {
        path.last.flatMap { ProtoPrinter.element(service, $0) }
    }
}

extension ProtoPrinter {
    fileprivate static func element<T>(_ list: [T], _ index: Int32) -> T? {
        list.indices.contains(Int(index)) ? list[Int(index)] : nil
    }
}
