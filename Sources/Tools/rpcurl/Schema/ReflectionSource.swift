import Protobuf

/// The types as the server describes them; files are fetched once.
final class ReflectionSource: SchemaSource {
    private let client: ReflectionClient
    private var files = DescriptorFiles()

    init(_ client: ReflectionClient) {
        self.client = client
    }

    func services() async throws -> [String] {
        try await client.services().sorted()
    }

    func pool(containing symbol: String) async throws -> DescriptorPool? {
        guard let found = try await client.files(containing: symbol) else { return nil }
        do {
            for file in found { try files.add(file) }
            while let name = files.missing.first {
                guard let more = try await client.files(named: name), !more.isEmpty else {
                    files.markAbsent(name)
                    continue
                }
                for file in more { try files.add(file) }
                // A server that answers with other files must not keep us asking.
                if files.missing.first == name { files.markAbsent(name) }
            }
            return try files.pool(withStandIns: true)
        } catch let error as ProtobufError {
            throw Failure(
                "the server's reflection is incomplete: \(error); give the schema with -protoset")
        }
    }
}
