import Protobuf

/// Descriptor sets, as `protoc --include_imports --descriptor_set_out` writes them.
final class DescriptorSetSource: SchemaSource {
    private let pool: DescriptorPool
    private let names: Set<String>

    /// - Throws: `Failure` when a set is damaged or names types that it does not hold.
    init(sets: [(name: String, bytes: [UInt8])]) throws(Failure) {
        var files = DescriptorFiles()
        for (name, bytes) in sets {
            do {
                try files.add(set: bytes)
            } catch {
                throw Failure("\(name) is no descriptor set: \(error)")
            }
        }
        do {
            pool = try files.pool()
        } catch {
            throw Failure(
                "the descriptor sets are incomplete: \(error); write them with protoc "
                    + "--include_imports --descriptor_set_out=FILE")
        }
        names = files.names
    }

    func services() async throws -> [String] {
        pool.files.filter { names.contains($0.name) }.flatMap(\.services).map(\.fullName).sorted()
    }

    func pool(containing symbol: String) async throws -> DescriptorPool? {
        pool.file(containing: symbol) == nil ? nil : pool
    }
}
