import Protobuf

/// Reads a message in protobuf's text format.
struct TextFormatParser {
    private var scanner: TextFormatScanner
    private let pool: DescriptorPool
    private let ignoresUnknownFields: Bool
    private static let maxDepth = 64

    /// - Throws: `Failure` with line and column.
    static func parse(
        _ text: [UInt8], as schema: MessageSchema, pool: DescriptorPool,
        ignoresUnknownFields: Bool = false
    ) throws(Failure) -> DynamicMessage {
        var parser = TextFormatParser(
            scanner: try TextFormatScanner(text), pool: pool,
            ignoresUnknownFields: ignoresUnknownFields)
        return try parser.fields(of: schema, until: nil, depth: 0)
    }

    // MARK: Messages

    private mutating func fields(
        of schema: MessageSchema, until closing: Unicode.Scalar?, depth: Int
    ) throws(Failure) -> DynamicMessage {
        guard depth < TextFormatParser.maxDepth else {
            throw scanner.failure("messages nest too deeply")
        }
        var message = DynamicMessage(schema)
        while true {
            if let closing, try scanner.take(closing) { return message }
            if scanner.token == .end {
                guard closing == nil else { throw scanner.failure("the text ends early") }
                return message
            }
            if try scanner.take("[") {
                try bracketed(&message, depth)
            } else {
                try field(of: &message, depth)
            }
            if try !scanner.take(",") { _ = try scanner.take(";") }
        }
    }

    private mutating func field(of message: inout DynamicMessage, _ depth: Int) throws(Failure) {
        guard case .word(let name) = scanner.token else {
            throw scanner.failure("expected a field's name")
        }
        guard let field = message.schema.field(named: name) else {
            guard ignoresUnknownFields else {
                throw scanner.failure("\(message.schema.fullName) has no field \(name)")
            }
            try scanner.advance()
            return try skipValue(depth)
        }
        try scanner.advance()
        let hasColon = try scanner.take(":")
        guard field.isMessage || hasColon else {
            throw scanner.failure("expected \":\" after \(name)")
        }
        guard try scanner.take("[") else {
            return try add(field, to: &message, depth)
        }
        guard field.isRepeated else { throw scanner.failure("\(name) is not repeated") }
        if try scanner.take("]") { return }
        repeat { try add(field, to: &message, depth) } while try scanner.take(",")
        guard try scanner.take("]") else { throw scanner.failure("expected \"]\"") }
    }

    private mutating func add(
        _ field: FieldSchema, to message: inout DynamicMessage, _ depth: Int
    ) throws(Failure) {
        let value = try value(field, depth)
        if field.isMap {
            guard case .message(let entry) = value, entry.schema.fields.count == 2 else { return }
            var map: [DynamicValue: DynamicValue] = [:]
            if case .map(let known)? = message[field] { map = known }
            map[entry.value(entry.schema.fields[0])] = entry.value(entry.schema.fields[1])
            message[field] = .map(map)
        } else if field.isRepeated {
            message[field] = .list((message[field]?.listValue ?? []) + [value])
        } else {
            guard message[field] == nil else {
                throw scanner.failure("\(field.name) is given twice")
            }
            message[field] = value
        }
    }

    /// `[type.googleapis.com/pkg.Type] { … }`: the content of an Any.
    private mutating func bracketed(
        _ message: inout DynamicMessage, _ depth: Int
    ) throws(Failure) {
        var url = ""
        while true {
            switch scanner.token {
            case .word(let text), .number(let text): url += text
            case .mark(UInt8(ascii: ".")): url += "."
            case .mark(UInt8(ascii: "/")): url += "/"
            case .mark(UInt8(ascii: "-")): url += "-"
            default: break
            }
            if scanner.token == .end { throw scanner.failure("the text ends early") }
            if try scanner.take("]") { break }
            try scanner.advance()
        }
        guard message.schema.fullName == "google.protobuf.Any", url.contains("/") else {
            throw scanner.failure("[\(url)] is no type of an Any, and extensions are not known")
        }
        guard let schema = pool.message(AnyTypes.name(url)) else {
            throw scanner.failure("the type \(AnyTypes.name(url)) is not known")
        }
        _ = try scanner.take(":")
        let inner = try braces(schema, depth)
        message["type_url"] = .string(url)
        message["value"] = .bytes(inner.encoded())
    }

    private mutating func braces(
        _ schema: MessageSchema, _ depth: Int
    ) throws(Failure) -> DynamicMessage {
        if try scanner.take("{") { return try fields(of: schema, until: "}", depth: depth + 1) }
        if try scanner.take("<") { return try fields(of: schema, until: ">", depth: depth + 1) }
        throw scanner.failure("expected \"{\"")
    }

    // MARK: Values

    private mutating func value(_ field: FieldSchema, _ depth: Int) throws(Failure) -> DynamicValue
    {
        if let type = field.messageType { return .message(try braces(type, depth)) }
        let start = scanner
        if case .string = scanner.token { return try text(field) }
        let isNegative = try scanner.take("-")
        let word: String
        switch scanner.token {
        case .word(let text), .number(let text): word = text
        default: throw scanner.failure("expected a value of \(field.name)")
        }
        try scanner.advance()
        guard let value = TextFormatParser.scalar(word, isNegative, field) else {
            let type = field.enumType?.fullName ?? "\(field.kind)"
            throw start.failure("\(isNegative ? "-" : "")\(word) is no \(type)")
        }
        return value
    }

    /// Strings that follow each other are one.
    private mutating func text(_ field: FieldSchema) throws(Failure) -> DynamicValue {
        let start = scanner
        var bytes: [UInt8] = []
        while case .string(let part) = scanner.token {
            bytes += part
            try scanner.advance()
        }
        switch field.kind {
        case .bytes: return .bytes(bytes)
        case .string:
            let string = String(decoding: bytes, as: UTF8.self)
            guard Array(string.utf8) == bytes else {
                throw start.failure("the string of \(field.name) is not UTF-8")
            }
            return .string(string)
        default: throw start.failure("\(field.name) is a \(field.kind), not a string")
        }
    }

    private static func scalar(
        _ word: String, _ isNegative: Bool, _ field: FieldSchema
    ) -> DynamicValue? {
        switch field.kind {
        case .bool:
            if isNegative { return nil }
            if ["true", "True", "t", "1"].contains(word) { return .bool(true) }
            return ["false", "False", "f", "0"].contains(word) ? .bool(false) : nil
        case .enumeration:
            if let known = field.enumType?.value(named: word), !isNegative {
                return .enumeration(known.number)
            }
            return integer(word, isNegative, Int32.self).map(DynamicValue.enumeration)
        case .double: return float(word, isNegative).map(DynamicValue.double)
        case .float: return float(word, isNegative).map { .float(Float($0)) }
        case .int32, .sint32, .sfixed32:
            return integer(word, isNegative, Int32.self).map(DynamicValue.int32)
        case .int64, .sint64, .sfixed64:
            return integer(word, isNegative, Int64.self).map(DynamicValue.int64)
        case .uint32, .fixed32:
            return integer(word, isNegative, UInt32.self).map(DynamicValue.uint32)
        case .uint64, .fixed64:
            return integer(word, isNegative, UInt64.self).map(DynamicValue.uint64)
        default: return nil
        }
    }

    private static func integer<T: FixedWidthInteger>(
        _ word: String, _ isNegative: Bool, _ type: T.Type
    ) -> T? {
        let sign = isNegative ? "-" : ""
        if word.hasPrefix("0x") || word.hasPrefix("0X") {
            return T(sign + word.dropFirst(2), radix: 16)
        }
        if word.hasPrefix("0"), word.count > 1 { return T(sign + word.dropFirst(), radix: 8) }
        return T(sign + word)
    }

    private static func float(_ word: String, _ isNegative: Bool) -> Double? {
        let lower = word.lowercased()
        let value: Double?
        switch lower {
        case "inf", "infinity", "inff": value = .infinity
        case "nan": value = .nan
        default:
            let isHex = lower.hasPrefix("0x")
            let digits = lower.hasSuffix("f") && !isHex ? String(lower.dropLast()) : lower
            value = digits.first?.isNumber == true || digits.first == "." ? Double(digits) : nil
        }
        return value.map { isNegative ? -$0 : $0 }
    }

    private mutating func skipValue(_ depth: Int) throws(Failure) {
        guard depth < TextFormatParser.maxDepth else {
            throw scanner.failure("messages nest too deeply")
        }
        _ = try scanner.take(":")
        for (opening, closing) in [("{", "}"), ("<", ">"), ("[", "]")]
            as [(Unicode.Scalar, Unicode.Scalar)]
        where try scanner.take(opening) {
            while try !scanner.take(closing) {
                if scanner.token == .end { throw scanner.failure("the text ends early") }
                if case .mark = scanner.token {
                    try skipValue(depth + 1)
                } else {
                    try scanner.advance()
                }
            }
            return
        }
        _ = try scanner.take("-")
        try scanner.advance()
        while case .string = scanner.token { try scanner.advance() }
    }
}
