import Protobuf

/// Files first, and the server for what they lack (`-use-reflection`).
final class CombinedSource: SchemaSource {
    private let files: any SchemaSource
    private let server: any SchemaSource

    init(files: any SchemaSource, server: any SchemaSource) {
        self.files = files
        self.server = server
    }

    func services() async throws -> [String] {
        Set(try await files.services() + server.services()).sorted()
    }

    func pool(containing symbol: String) async throws -> DescriptorPool? {
        if let pool = try await files.pool(containing: symbol) { return pool }
        return try await server.pool(containing: symbol)
    }
}
