/// Header fields in wire order, kept as one flat byte buffer plus offsets: no String exists before
/// somebody asks for one. Every field was checked when it came in (parsed or added), so what is in
/// here can always be written without breaking a message.
public struct HTTPHeaders: Sendable {
    struct Field: Sendable {
        var nameStart: UInt32
        var nameCount: UInt32
        var valueStart: UInt32
        var valueCount: UInt32

        var name: Range<Int> { Int(nameStart)..<Int(nameStart + nameCount) }
        var value: Range<Int> { Int(valueStart)..<Int(valueStart + valueCount) }
    }

    /// For a parsed head: the whole head, start line included.
    private(set) var storage: [UInt8]
    private(set) var fields: [Field]

    public init() {
        storage = []
        fields = []
    }

    init(storage: [UInt8], fields: [Field]) {
        self.storage = storage
        self.fields = fields
    }

    public var count: Int { fields.count }
    public var isEmpty: Bool { fields.isEmpty }

    /// The first value of the field, name compared without case.
    public func first(_ name: String) -> String? {
        firstBytes(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of the first value; shares the storage.
    public func firstBytes(_ name: String) -> ArraySlice<UInt8>? {
        index(of: name).map { storage[fields[$0].value] }
    }

    /// Every value of the field in order.
    public func all(_ name: String) -> [String] {
        fields.indices.lazy.filter { isNamed($0, name) }.map { string(fields[$0].value) }
    }

    public func contains(_ name: String) -> Bool { index(of: name) != nil }

    /// Whether one of the comma-separated members of all such fields is `token`, without case
    /// (RFC 9110 §5.6.1): `Connection: keep-alive, Upgrade` has the token `upgrade`.
    public func hasToken(_ token: String, in name: String) -> Bool {
        storage.withUnsafeBufferPointer { bytes in
            fields.indices.contains { index in
                isNamed(index, name)
                    && Self.members(of: fields[index].value, in: bytes).contains {
                        ASCII.equalIgnoringCase(UnsafeBufferPointer(rebasing: bytes[$0]), token)
                    }
            }
        }
    }

    /// Name and value at a position, `0..<count`.
    public func field(at index: Int) -> (name: String, value: String) {
        (string(fields[index].name), string(fields[index].value))
    }

    /// Adds a field. Throws `.unwritableField` when the name is not a token or the value contains
    /// CR, LF, NUL or another control byte, so a value from anywhere cannot start a new field.
    public mutating func add(_ name: String, _ value: String) throws(HTTPError) {
        guard !name.utf8.isEmpty, name.utf8.allSatisfy({ ASCII.isToken($0) }) else {
            throw HTTPError(.unwritableField, "a header field name is not a token")
        }
        guard value.utf8.allSatisfy({ ASCII.isFieldValue($0) }) else {
            throw HTTPError(.unwritableField, "a header field value contains a control byte")
        }
        append(name.utf8, value.utf8)
    }

    /// Adds a field that stands in our source; a wrong one is a programmer's error and traps.
    public mutating func add(literal name: StaticString, _ value: StaticString) {
        let name = name.withUTF8Buffer { Array($0) }
        let value = value.withUTF8Buffer { Array($0) }
        precondition(!name.isEmpty && name.allSatisfy { ASCII.isToken($0) })
        precondition(value.allSatisfy { ASCII.isFieldValue($0) })
        append(name, value)
    }

    /// Replaces every field of that name with one.
    public mutating func set(_ name: String, _ value: String) throws(HTTPError) {
        remove(name)
        try add(name, value)
    }

    public mutating func remove(_ name: String) {
        let kept = fields.indices.filter { !isNamed($0, name) }
        if kept.count != fields.count { fields = kept.map { fields[$0] } }
    }

    private mutating func append(_ name: some Collection<UInt8>, _ value: some Collection<UInt8>) {
        let start = storage.count
        storage.append(contentsOf: name)
        storage.append(contentsOf: value)
        fields.append(
            Field(
                nameStart: UInt32(start), nameCount: UInt32(name.count),
                valueStart: UInt32(start + name.count), valueCount: UInt32(value.count)))
    }

    private func index(of name: String) -> Int? {
        fields.indices.first { isNamed($0, name) }
    }

    func isNamed(_ index: Int, _ name: String) -> Bool {
        let field = fields[index]
        guard Int(field.nameCount) == name.utf8.count else { return false }
        return storage.withUnsafeBufferPointer {
            ASCII.equalIgnoringCase(UnsafeBufferPointer(rebasing: $0[field.name]), name)
        }
    }

    private func string(_ range: Range<Int>) -> String {
        String(decoding: storage[range], as: UTF8.self)
    }

    /// The trimmed, non-empty members of a comma-separated list.
    static func members(of range: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>]
    {
        var members: [Range<Int>] = []
        var start = range.lowerBound
        for end in range.lowerBound...range.upperBound
        where end == range.upperBound || bytes[end] == UInt8(ascii: ",") {
            let member = ASCII.trimmed(start..<end, of: bytes)
            if !member.isEmpty { members.append(member) }
            start = end + 1
        }
        return members
    }
}
