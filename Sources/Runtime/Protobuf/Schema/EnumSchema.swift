/// An enum type; all enums are open: unknown numbers are kept.
public final class EnumSchema: @unchecked Sendable {
    // @unchecked: `parent` is written while linking only.
    public struct Value: Sendable {
        public let name: String
        public let number: Int32
        public let options: Options
    }

    public let name: String
    public let fullName: String
    /// In declaration order; aliases are listed too.
    public let values: [Value]
    public let options: Options
    public let path: [Int32]
    public let file: FileSchema
    public internal(set) var parent: MessageSchema?
    private let byNumber: [Int32: Value]
    private let byName: [String: Value]

    init(_ proto: EnumProto, scope: String, path: [Int32], file: FileSchema) {
        name = proto.name
        fullName = scope.isEmpty ? proto.name : "\(scope).\(proto.name)"
        values = proto.values
        options = Options(proto.options)
        self.path = path
        self.file = file
        byNumber = Dictionary(
            values.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        byName = Dictionary(values.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The first value with this number.
    public func value(number: Int32) -> Value? { byNumber[number] }
    public func value(named name: String) -> Value? { byName[name] }
}

extension EnumSchema: Hashable {
    public static func == (left: EnumSchema, right: EnumSchema) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
