import Glibc
import Protobuf

/// `-protoset-out`: keeps the schema that a command used, imports included.
struct SchemaExport {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    /// - Parameter symbol: a service, method or type; nil for all services.
    /// - Throws: `Failure` when the file cannot be written.
    func run(_ symbol: String?) async throws {
        guard let path = session.settings.descriptorSetOutput else { return }
        let names =
            if let symbol { [DescribeCommand.normalised(symbol)] } else {
                try await session.source.services()
            }
        var known: Set<String> = []
        var files: [FileSchema] = []
        for name in names {
            guard let pool = try await DescribeCommand(session).pool(name),
                let file = pool.file(containing: name)
            else { continue }
            SchemaExport.add(file, &known, &files)
        }
        try SchemaExport.write(SchemaExport.descriptorSet(files), to: path)
    }

    /// Imports come before the files that import them, as protoc writes them.
    private static func add(
        _ file: FileSchema, _ known: inout Set<String>, _ files: inout [FileSchema]
    ) {
        guard known.insert(file.name).inserted else { return }
        for dependency in file.dependencies { add(dependency, &known, &files) }
        files.append(file)
    }

    static func descriptorSet(_ files: [FileSchema]) -> [UInt8] {
        var writer = WireWriter()
        for file in files { writer.field(1, bytes: file.serialized) }
        return writer.bytes
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let file = try OutputFile(path: path)
        try file.write(bytes)
    }
}
