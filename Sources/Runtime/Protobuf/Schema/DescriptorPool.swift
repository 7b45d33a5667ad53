/// A closed set of .proto files: every import of a file is in the pool too.
public final class DescriptorPool: Sendable {
    /// Imports come before the files that import them.
    public let files: [FileSchema]
    private let byName: [String: FileSchema]
    private let symbols: [String: FileSchema]

    /// Links serialized `FileDescriptorProto`s given in any order; equal names count once.
    ///
    /// Errors: `.schema` when an import is missing or imports form a cycle, `.tooDeep` when they
    /// nest deeper than 200 files.
    public convenience init(files: [[UInt8]]) throws(ProtobufError) {
        var waiting: [String: FileProto] = [:]
        var order: [String] = []
        for bytes in files {
            let file = try FileProto(bytes)
            if waiting.updateValue(file, forKey: file.name) == nil { order.append(file.name) }
        }
        var linker = Linker(waiting: waiting)
        for name in order { _ = try linker.link(name, from: nil) }
        self.init(linked: linker.linked)
    }

    /// Links a serialized `FileDescriptorSet`.
    public convenience init(descriptorSet: [UInt8]) throws(ProtobufError) {
        var files: [[UInt8]] = []
        var reader = WireReader(descriptorSet)
        while let tag = try reader.tag() {
            if tag.number == 1, tag.type == .bytes {
                files.append(try reader.lengthDelimited())
            } else {
                try reader.skip(tag.number, tag.type)
            }
        }
        try self.init(files: files)
    }

    /// A pool of files that are linked already, and of everything they import.
    public init(linked roots: [FileSchema]) {
        var files: [FileSchema] = []
        var byName: [String: FileSchema] = [:]
        var symbols: [String: FileSchema] = [:]
        func add(_ file: FileSchema) {
            if byName[file.name] != nil { return }
            byName[file.name] = file
            for dependency in file.dependencies { add(dependency) }
            files.append(file)
            for name in file.symbolNames { symbols[name] = file }
        }
        for root in roots { add(root) }
        self.files = files
        self.byName = byName
        self.symbols = symbols
    }

    public convenience init(_ files: [GeneratedFile]) {
        self.init(linked: files.map(\.file))
    }

    public var services: [ServiceSchema] { files.flatMap(\.services) }

    public func message(_ fullName: String) -> MessageSchema? {
        if case .message(let message) = symbol(fullName) { message } else { nil }
    }

    public func enumeration(_ fullName: String) -> EnumSchema? {
        if case .enumeration(let item) = symbol(fullName) { item } else { nil }
    }

    public func service(_ fullName: String) -> ServiceSchema? {
        if case .service(let service) = symbol(fullName) { service } else { nil }
    }

    public func file(_ name: String) -> FileSchema? { byName[name] }

    /// The file that declares a message, enum, enum value, field, extension, service or method.
    public func file(containing symbol: String) -> FileSchema? { symbols[symbol] }

    /// Extensions of a message known to the pool, for reflection.
    public func extensions(of fullName: String) -> [FieldSchema] {
        files.flatMap { file in file.extensions + file.allMessages.flatMap(\.extensions) }
            .filter { $0.extendee == fullName }
    }

    /// The file that declares extension `number` of a message.
    public func file(extending fullName: String, number: Int32) -> FileSchema? {
        extensions(of: fullName).first { $0.number == number }.flatMap {
            file(containing: $0.fullName)
        }
    }

    private func symbol(_ fullName: String) -> FileSchema.Symbol? {
        symbols[fullName]?.symbol(fullName)
    }

    /// Links imports before importers.
    private struct Linker {
        var waiting: [String: FileProto]
        var linked: [FileSchema] = []
        var done: [String: FileSchema] = [:]
        var begun: Set<String> = []
        /// Linking, and looking for a type later, recurse once per level.
        static var maxDepth: Int { 200 }

        mutating func link(
            _ name: String, from importer: String?
        ) throws(ProtobufError) -> FileSchema {
            if let file = done[name] { return file }
            guard let proto = waiting[name] else {
                throw ProtobufError(
                    .schema, "\(importer ?? "the pool") imports \(name), which is missing")
            }
            guard begun.insert(name).inserted else {
                throw ProtobufError(.schema, "\(name) imports itself through \(importer ?? name)")
            }
            var dependencies: [FileSchema] = []
            guard begun.count - done.count <= Linker.maxDepth else {
                throw ProtobufError(.tooDeep, "imports nest too deeply at \(name)")
            }
            for dependency in proto.dependencies {
                dependencies.append(try link(dependency, from: name))
            }
            let file = try FileSchema(proto, dependencies: dependencies)
            done[name] = file
            linked.append(file)
            return file
        }
    }
}
