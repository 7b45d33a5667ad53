/// Any JSON value; the order of members and the text of numbers are kept.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// As written, for example `1e3`: no precision is lost.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// Parses a whole text strictly: no duplicate keys, no trailing bytes, at most 64 levels.
    public static func parse(
        _ bytes: [UInt8], maxDepth: Int = 64
    ) throws(ProtobufError) -> JSONValue {
        try bytes.withUnsafeBytes { raw in
            Result { () throws(ProtobufError) in try parse(raw, maxDepth: maxDepth) }
        }.get()
    }

    public static func parse(
        _ bytes: UnsafeRawBufferPointer, maxDepth: Int = 64
    ) throws(ProtobufError) -> JSONValue {
        var scanner = try JSONScanner(bytes, maxDepth: maxDepth)
        let value = try JSONValue(&scanner)
        try scanner.end()
        return value
    }

    init(_ scanner: inout JSONScanner) throws(ProtobufError) {
        switch scanner.peek() {
        case UInt8(ascii: "{"):
            var members: [(key: String, value: JSONValue)] = []
            var seen: Set<DynamicValue> = []
            var more = try scanner.open("{", "}")
            while more {
                let (key, start) = try scanner.key()
                guard seen.insert(.string(key)).inserted else {
                    throw scanner.duplicate(key, at: start)
                }
                scanner.path.append(.field(key))
                members.append((key, try JSONValue(&scanner)))
                scanner.path.removeLast()
                more = try scanner.next("}")
            }
            self = .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            var more = try scanner.open("[", "]")
            while more {
                scanner.path.append(.index(elements.count))
                elements.append(try JSONValue(&scanner))
                scanner.path.removeLast()
                more = try scanner.next("]")
            }
            self = .array(elements)
        case UInt8(ascii: "\""): self = .string(try scanner.string())
        case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?:
            self = .number(try scanner.number())
        default:
            if scanner.takeLiteral("true") {
                self = .bool(true)
            } else if scanner.takeLiteral("false") {
                self = .bool(false)
            } else if scanner.takeLiteral("null") {
                self = .null
            } else {
                throw scanner.unexpected()
            }
        }
    }

    /// Compact JSON.
    public func encoded() -> [UInt8] {
        var writer = JSONWriter()
        write(&writer)
        return writer.bytes
    }

    func write(_ writer: inout JSONWriter) {
        switch self {
        case .null: writer.raw("null")
        case .bool(let value): writer.raw(value ? "true" : "false")
        case .number(let text): writer.raw(text)
        case .string(let text): writer.string(text)
        case .array(let elements):
            writer.open("[")
            for element in elements {
                writer.element()
                element.write(&writer)
            }
            writer.close("]")
        case .object(let members):
            writer.open("{")
            for (key, value) in members {
                writer.key(key)
                value.write(&writer)
            }
            writer.close("}")
        }
    }
}

extension JSONValue {
    /// A member of an object.
    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    public var isNull: Bool { if case .null = self { true } else { false } }
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let list) = self { list } else { nil } }
    /// An integral number; `1e3` and `1.0` count.
    public var integer: Int64? {
        if case .number(let text) = self { JSONNumber.integer(text) } else { nil }
    }
    public var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
}

extension JSONValue: Equatable {
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)), (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a.elementsEqual(b) { $0 == $1 }
        default: false
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .number(String(value)) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }
}
