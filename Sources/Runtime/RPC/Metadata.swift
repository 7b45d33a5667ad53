/// The custom headers or trailers of a call: ordered, names repeat, `-bin` names carry bytes.
public struct Metadata: Sendable, Hashable, Sequence {
    public enum Value: Sendable, Hashable {
        case text(String)
        case binary([UInt8])
    }

    public struct Field: Sendable, Hashable {
        /// Lower case.
        public let name: String
        public let value: Value
    }

    private var fields: [Field] = []

    public init() {}

    /// `Metadata(["x-tenant": "school"])`, for fields that the program itself writes.
    ///
    /// What ``add(_:for:)`` refuses (a `-bin` name, a byte outside of ASCII) is a mistake of the
    /// program: it stops a debug build, and is left out in a release build. What comes from
    /// elsewhere goes into ``init(validating:)``.
    public init(_ fields: KeyValuePairs<String, String>) {
        for (name, value) in fields {
            let isAdded = add(value, for: name)
            assert(isAdded, "\(Metadata.refusal(name))")
        }
    }

    /// The same for names and values that are not known to be good.
    /// - Throws: `RPCError` INVALID_ARGUMENT with the name of the field that cannot be sent.
    public init(validating fields: some Sequence<(String, String)>) throws(RPCError) {
        for (name, value) in fields where !add(value, for: name) {
            throw RPCError(.invalidArgument, Metadata.refusal(name), blame: .caller)
        }
    }

    /// Without the value, which may be a secret.
    private static func refusal(_ name: String) -> String {
        name.lowercased().hasSuffix("-bin")
            ? "metadata \(name) takes bytes: add(binary:for:)"
            : "metadata \(name): a name has letters, digits, - _ . and a value printable ASCII only"
    }

    public var isEmpty: Bool { fields.isEmpty }
    public var count: Int { fields.count }

    public func makeIterator() -> IndexingIterator<[Field]> {
        fields.makeIterator()
    }

    /// Adds a text value. False, and nothing added, when the name is no header name, is a `-bin`
    /// name, or the value has bytes outside 0x20…0x7E (PROTOCOL-HTTP2.md, Custom-Metadata).
    @discardableResult
    public mutating func add(_ value: String, for name: String) -> Bool {
        guard let name = Metadata.normalised(name), !name.hasSuffix("-bin"),
            value.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7e })
        else { return false }
        fields.append(Field(name: name, value: .text(value)))
        return true
    }

    /// Adds a binary value; the name must end in `-bin`.
    @discardableResult
    public mutating func add(binary value: [UInt8], for name: String) -> Bool {
        guard let name = Metadata.normalised(name), name.hasSuffix("-bin") else { return false }
        fields.append(Field(name: name, value: .binary(value)))
        return true
    }

    /// Replaces every value of the name.
    @discardableResult
    public mutating func set(_ value: String, for name: String) -> Bool {
        remove(name)
        return add(value, for: name)
    }

    public mutating func remove(_ name: String) {
        let name = name.lowercased()
        fields.removeAll { $0.name == name }
    }

    public mutating func append(contentsOf other: Metadata) {
        fields.append(contentsOf: other.fields)
    }

    public func first(_ name: String) -> String? {
        let name = name.lowercased()
        for field in fields where field.name == name {
            if case .text(let text) = field.value { return text }
        }
        return nil
    }

    public func firstBinary(_ name: String) -> [UInt8]? {
        let name = name.lowercased()
        for field in fields where field.name == name {
            if case .binary(let bytes) = field.value { return bytes }
        }
        return nil
    }

    public func all(_ name: String) -> [String] {
        let name = name.lowercased()
        return fields.compactMap {
            guard $0.name == name, case .text(let text) = $0.value else { return nil }
            return text
        }
    }

    public func allBinary(_ name: String) -> [[UInt8]] {
        let name = name.lowercased()
        return fields.compactMap {
            guard $0.name == name, case .binary(let bytes) = $0.value else { return nil }
            return bytes
        }
    }

    /// For transports: the name is lower case and valid already.
    package mutating func append(unchecked name: String, _ value: Value) {
        fields.append(Field(name: name, value: value))
    }

    private static func normalised(_ name: String) -> String? {
        let isValid =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "."):
                    true
                default:
                    false
                }
            }
        return isValid ? name.lowercased() : nil
    }
}
