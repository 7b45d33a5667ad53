import Protobuf

/// Makes the `google.protobuf.Any`s of a message printable.
struct AnyTypes {
    private let pool: DescriptorPool
    /// Full names that the pool does not know.
    private(set) var unknown: Set<String> = []

    init(_ pool: DescriptorPool) {
        self.pool = pool
    }

    /// Replaces the content of an Any of unknown type by a message with one field, `@value`, that
    /// holds the bytes. `standIns` declares those messages.
    mutating func replacingUnknown(in message: DynamicMessage) -> DynamicMessage {
        var message = message
        for (field, value) in message.setFields where field.isMessage {
            message[field] = replacing(value)
        }
        guard message.schema.fullName == "google.protobuf.Any" else { return message }
        let url = message["type_url"]?.stringValue ?? ""
        let content = message["value"]?.bytesValue ?? []
        let name = AnyTypes.name(url)
        if let schema = pool.message(name) {
            guard let inner = try? DynamicMessage(decoding: content, schema: schema) else {
                return message
            }
            message["value"] = .bytes(replacingUnknown(in: inner).encoded())
        } else if !name.isEmpty {
            unknown.insert(name)
            var writer = WireWriter()
            writer.field(1, bytes: content)
            message["value"] = .bytes(writer.bytes)
        }
        return message
    }

    private mutating func replacing(_ value: DynamicValue) -> DynamicValue {
        switch value {
        case .message(let message): return .message(replacingUnknown(in: message))
        case .list(let list): return .list(list.map { replacing($0) })
        case .map(let map):
            var result: [DynamicValue: DynamicValue] = [:]
            for (key, value) in map { result[key] = replacing(value) }
            return .map(result)
        default: return value
        }
    }

    /// The pool with a stand-in for each unknown type.
    func poolWithStandIns() throws(ProtobufError) -> DescriptorPool {
        var files = pool.files.map(\.serialized)
        for name in unknown.sorted() {
            let split = name.lastIndex(of: ".")
            var file = WireWriter()
            file.field(1, string: "rpcurl/stand-in/\(name).proto")
            if let split { file.field(2, string: String(name[..<split])) }
            let short = split.map { String(name[name.index(after: $0)...]) } ?? name
            file.field(4) { message in
                message.field(1, string: short)
                message.field(2) { field in
                    field.field(1, string: "value")
                    field.field(3, varint: 1)
                    field.field(4, varint: 1)
                    field.field(5, varint: UInt64(FieldSchema.Kind.bytes.rawValue))
                    field.field(10, string: "@value")
                }
            }
            file.field(12, string: "proto3")
            files.append(file.bytes)
        }
        return try DescriptorPool(files: files)
    }

    /// The full name in a type URL.
    static func name(_ url: String) -> String {
        url.split(separator: "/").last.map(String.init) ?? ""
    }
}
