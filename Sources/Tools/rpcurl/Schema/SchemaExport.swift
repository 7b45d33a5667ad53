import Glibc
import Protobuf

/// `-protoset-out` and `-proto-out-dir`: keep the schema that a command used, imports included.
struct SchemaExport {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    /// - Parameter symbol: a service, method or type; nil for all services.
    /// - Throws: `Failure` when the file cannot be written.
    func run(_ symbol: String?) async throws {
        let settings = session.settings
        guard settings.descriptorSetOutput != nil || settings.protoOutputFolder != nil else {
            return
        }
        let names =
            if let symbol { [DescribeCommand.normalised(symbol)] } else {
                try await session.source.services()
            }
        var known: Set<String> = []
        var files: [FileSchema] = []
        var pool: DescriptorPool?
        for name in names {
            guard let found = try await DescribeCommand(session).pool(name),
                let file = found.file(containing: name)
            else { continue }
            pool = found
            SchemaExport.add(file, &known, &files)
        }
        if let path = settings.descriptorSetOutput {
            try SchemaExport.write(SchemaExport.descriptorSet(files), to: path)
        }
        if let folder = settings.protoOutputFolder, let pool {
            for file in files { try SchemaExport.write(file, pool, in: folder) }
        }
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

    /// A file's source, in the folders that its name says.
    static func write(
        _ file: FileSchema, _ pool: DescriptorPool, in folder: String
    ) throws(Failure) {
        // The names come from the server: none may lead out of the folder.
        // Bytes, as the kernel reads them: with a combining mark behind it a "/" is no Character "/".
        let parts = file.name.utf8
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        let isSafe = parts.allSatisfy {
            !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0)
        }
        guard isSafe else { throw Failure("the server names a file \(file.name): not written") }
        var printer = ProtoPrinter(pool)
        try printer.file(file)
        var path = folder
        try OutputFile.makeFolder(path)
        for part in parts.dropLast() {
            path += "/\(part)"
            try OutputFile.makeFolder(path)
        }
        try write(Array("\(printer.text)\n".utf8), to: "\(folder)/\(file.name)")
    }
}
