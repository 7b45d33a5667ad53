import Synchronization

/// A message type.
///
/// Schemas refer to each other in cycles and live as long as the process; a pool is made once
/// per program or per reflected server, not per call.
public final class MessageSchema: @unchecked Sendable {
    // @unchecked: everything but the atomic is written while linking, before anyone can see it.
    public let name: String
    public let fullName: String
    /// In declaration order.
    public let fields: [FieldSchema]
    /// Without the synthetic oneofs of proto3 `optional` fields.
    public let oneofs: [OneofSchema]
    public let messages: [MessageSchema]
    public let enums: [EnumSchema]
    public let extensions: [FieldSchema]
    public let options: Options
    public let isMapEntry: Bool
    /// Path in the file's `SourceCodeInfo`, for `FileSchema.comments`.
    public let path: [Int32]
    public let file: FileSchema
    /// The message that this one is declared in.
    public internal(set) var parent: MessageSchema?
    let wellKnown: WellKnownType?
    /// The order of canonical encodings.
    let fieldsByNumber: [FieldSchema]

    private let byNumber: [Int32: FieldSchema]
    private let byName: [String: FieldSchema]
    private let native = Atomic<UnsafeMutableRawPointer?>(nil)

    init(_ proto: MessageProto, scope: String, path: [Int32], file: FileSchema) {
        let fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
        name = proto.name
        self.fullName = fullName
        self.path = path
        self.file = file
        options = Options(proto.options)
        isMapEntry = options.varint(extension: 7) == 1
        let fields = proto.fields.enumerated().map { index, field in
            FieldSchema(field, index: index, scope: fullName, syntax: file.syntax)
        }
        self.fields = fields
        extensions = proto.extensions.enumerated().map { index, field in
            FieldSchema(field, index: index, scope: fullName, syntax: file.syntax)
        }
        messages = proto.messages.enumerated().map { index, nested in
            MessageSchema(nested, scope: fullName, path: path + [3, Int32(index)], file: file)
        }
        enums = proto.enums.enumerated().map { index, nested in
            EnumSchema(nested, scope: fullName, path: path + [4, Int32(index)], file: file)
        }
        var oneofs: [OneofSchema] = []
        for (index, name) in proto.oneofs.enumerated() {
            let members = fields.filter { $0.oneofIndex == index && !$0.isProto3Optional }
            if members.isEmpty { continue }
            let oneof = OneofSchema(name: name, index: index)
            oneof.fields = members
            for member in members { member.oneof = oneof }
            oneofs.append(oneof)
        }
        self.oneofs = oneofs
        byNumber = Dictionary(
            fields.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        // Both spellings of a field; a real name wins over another field's JSON name.
        byName = Dictionary(
            fields.map { ($0.name, $0) } + fields.map { ($0.jsonName, $0) },
            uniquingKeysWith: { first, _ in first })
        wellKnown = WellKnownType(fullName)
        fieldsByNumber = fields.sorted { $0.number < $1.number }
        for message in messages { message.parent = self }
        for nested in enums { nested.parent = self }
    }

    public func field(number: Int32) -> FieldSchema? { byNumber[number] }

    /// A field by its name in the .proto file or by its JSON name.
    public func field(named name: String) -> FieldSchema? { byName[name] }

    /// The native tables, built at first use.
    @usableFromInline
    var table: UnsafeMutablePointer<MessageTable> {
        if let known = native.load(ordering: .acquiring) {
            return known.assumingMemoryBound(to: MessageTable.self)
        }
        return NativeTables.build(self)
    }

    /// Builders only: the published table.
    var publishedTable: UnsafeMutablePointer<MessageTable>? {
        get {
            native.load(ordering: .acquiring).map { $0.assumingMemoryBound(to: MessageTable.self) }
        }
        set { native.store(UnsafeMutableRawPointer(newValue), ordering: .releasing) }
    }
}

extension MessageSchema: Hashable {
    public static func == (left: MessageSchema, right: MessageSchema) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
