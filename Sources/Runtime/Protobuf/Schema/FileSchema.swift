/// One .proto file: its declarations, its dependencies and its serialized descriptor.
public final class FileSchema: @unchecked Sendable {
    // @unchecked: the declarations are written in `init` and while linking, before publication.
    public enum Syntax: Sendable { case proto2, proto3 }

    /// Comments around a declaration, as protoc attaches them.
    public struct Comments: Sendable, Hashable {
        public var leading = ""
        public var trailing = ""
        public var detached: [String] = []
    }

    /// For example `google/protobuf/timestamp.proto`.
    public let name: String
    public let package: String
    public let syntax: Syntax
    public let options: Options
    /// The `FileDescriptorProto`, for reflection.
    public let serialized: [UInt8]
    /// The imported files, in order.
    public let dependencies: [FileSchema]
    /// Names of the files this one imports with `import public`.
    public let publicDependencies: [String]
    public private(set) var messages: [MessageSchema] = []
    public private(set) var enums: [EnumSchema] = []
    public private(set) var services: [ServiceSchema] = []
    public private(set) var extensions: [FieldSchema] = []
    private var symbols: [String: Symbol] = [:]
    private let locations: [[Int32]: Comments]

    enum Symbol {
        case message(MessageSchema)
        case enumeration(EnumSchema)
        case service(ServiceSchema)
        case method(MethodSchema)
        case field(FieldSchema)
        case other
    }

    /// Links a parsed file with the files it imports.
    init(_ proto: FileProto, dependencies: [FileSchema]) throws(ProtobufError) {
        name = proto.name
        package = proto.package
        syntax = proto.syntax == "proto3" ? .proto3 : .proto2
        options = Options(proto.options)
        serialized = proto.serialized
        self.dependencies = dependencies
        publicDependencies = proto.publicDependencies.compactMap { index in
            proto.dependencies.indices.contains(index) ? proto.dependencies[index] : nil
        }
        locations = proto.comments
        messages = proto.messages.enumerated().map { index, message in
            MessageSchema(message, scope: package, path: [4, Int32(index)], file: self)
        }
        enums = proto.enums.enumerated().map { index, item in
            EnumSchema(item, scope: package, path: [5, Int32(index)], file: self)
        }
        services = proto.services.enumerated().map { index, service in
            ServiceSchema(service, scope: package, path: [6, Int32(index)], file: self)
        }
        extensions = proto.extensions.enumerated().map { index, field in
            FieldSchema(field, index: index, scope: package, syntax: syntax)
        }
        register()
        try link()
    }

    /// Comments by the declaration's path, such as `MessageSchema.path + [2, fieldIndex]`.
    public func comments(_ path: [Int32]) -> Comments? { locations[path] }

    /// Every message of the file, nested ones behind the one that holds them.
    public var allMessages: [MessageSchema] { messages.flatMap(FileSchema.flatten) }

    func symbol(_ fullName: String) -> Symbol? { symbols[fullName] }
    var symbolNames: Dictionary<String, Symbol>.Keys { symbols.keys }

    private static func flatten(_ message: MessageSchema) -> [MessageSchema] {
        [message] + message.messages.flatMap(flatten)
    }

    private func register() {
        for message in allMessages {
            symbols[message.fullName] = .message(message)
            for field in message.fields { symbols[field.fullName] = .field(field) }
            for field in message.extensions { symbols[field.fullName] = .field(field) }
            for item in message.enums { register(item) }
        }
        for item in enums { register(item) }
        for field in extensions { symbols[field.fullName] = .field(field) }
        for service in services {
            symbols[service.fullName] = .service(service)
            for method in service.methods { symbols[method.fullName] = .method(method) }
        }
    }

    private func register(_ item: EnumSchema) {
        symbols[item.fullName] = .enumeration(item)
        // Enum values live beside their enum, not inside it (C++ scoping).
        let scope = item.fullName.dropLast(item.name.utf8.count)
        for value in item.values { symbols[scope + value.name] = .other }
    }

    private func link() throws(ProtobufError) {
        for message in allMessages {
            for field in message.fields { try link(field) }
            for field in message.extensions { try link(field) }
        }
        for field in extensions { try link(field) }
        for message in allMessages { try message.validate() }
        for service in services {
            for method in service.methods {
                method.linkedInput = try message(method.inputName, for: method.fullName)
                method.linkedOutput = try message(method.outputName, for: method.fullName)
            }
        }
    }

    private func link(_ field: FieldSchema) throws(ProtobufError) {
        switch field.kind {
        case .message, .group: field.messageType = try message(field.typeName, for: field.fullName)
        case .enumeration:
            guard case .enumeration(let item) = find(field.typeName) else {
                throw missing(field.typeName, field.fullName)
            }
            field.enumType = item
        default: break
        }
    }

    private func message(_ name: String, for user: String) throws(ProtobufError) -> MessageSchema {
        guard case .message(let message) = find(name) else { throw missing(name, user) }
        return message
    }

    private func missing(_ name: String, _ user: String) -> ProtobufError {
        ProtobufError(
            .schema, "\(self.name): \(user) refers to \(name), which no import of the file declares"
        )
    }

    /// A symbol of this file or of anything it imports, also indirectly.
    private func find(_ fullName: String) -> Symbol? {
        var visited: Set<String> = [name]
        return find(fullName, &visited)
    }

    private func find(_ fullName: String, _ visited: inout Set<String>) -> Symbol? {
        if let own = symbols[fullName] { return own }
        for file in dependencies where visited.insert(file.name).inserted {
            if let found = file.find(fullName, &visited) { return found }
        }
        return nil
    }
}

extension FileSchema: Hashable {
    public static func == (left: FileSchema, right: FileSchema) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
