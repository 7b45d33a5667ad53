import Protobuf
import RPC

/// File descriptors that came one by one, until they make a pool.
struct DescriptorFiles {
    /// Serialized `FileDescriptorProto`s by file name.
    private var files: [String: [UInt8]] = [:]
    private var order: [String] = []
    private var imports: Set<String> = []
    private var absent: Set<String> = []

    private static let builtIn = (WellKnownFiles.all + RPCFiles.all).map(\.file)

    /// Names of the files that were added.
    var names: Set<String> { Set(order) }

    /// Adds a serialized `FileDescriptorProto`; one of a known name counts once.
    mutating func add(_ file: [UInt8]) throws(ProtobufError) {
        var name = ""
        var dependencies: [String] = []
        var reader = WireReader(file)
        while let (number, type) = try reader.tag() {
            switch (number, type) {
            case (1, .bytes): name = try reader.string()
            case (3, .bytes): dependencies.append(try reader.string())
            default: try reader.skip(number, type)
            }
        }
        guard files.updateValue(file, forKey: name) == nil else { return }
        order.append(name)
        imports.formUnion(dependencies)
    }

    /// Adds a serialized `FileDescriptorSet`.
    mutating func add(set: [UInt8]) throws(ProtobufError) {
        var reader = WireReader(set)
        while let (number, type) = try reader.tag() {
            if number == 1, type == .bytes {
                try add(reader.lengthDelimited())
            } else {
                try reader.skip(number, type)
            }
        }
    }

    /// Imports that nobody has delivered and nobody has called absent.
    var missing: [String] {
        imports.filter { files[$0] == nil && !absent.contains($0) }.sorted()
    }

    /// The server does not have that file either.
    mutating func markAbsent(_ name: String) { absent.insert(name) }

    /// Links what there is. Imports that are missing are taken from the files built into rpcurl,
    /// or stand empty: an import that serves options only is then no obstacle.
    /// - Parameter withStandIns: types that nobody declares stand empty too.
    func pool(withStandIns: Bool = false) throws(ProtobufError) -> DescriptorPool {
        var known = Set(order)
        var all: [[UInt8]] = []
        for file in DescriptorFiles.builtIn where known.insert(file.name).inserted {
            all.append(file.serialized)
        }
        for name in imports.sorted() where known.insert(name).inserted {
            var writer = WireWriter()
            writer.field(1, string: name)
            all.append(writer.bytes)
        }
        all += order.compactMap { files[$0] }
        if withStandIns { all = try StandIns(all).complete(all) }
        return try DescriptorPool(files: all)
    }
}
