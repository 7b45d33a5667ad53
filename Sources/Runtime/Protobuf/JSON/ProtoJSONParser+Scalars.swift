extension ProtoJSONParser {
    /// A number, bool, string, bytes or enum; nil for an ignored unknown enum name.
    mutating func scalar(_ field: FieldSchema) throws(ProtobufError) -> DynamicValue? {
        switch field.kind {
        case .int32, .sint32, .sfixed32: return .int32(try integer("int32"))
        case .int64, .sint64, .sfixed64: return .int64(try integer("int64"))
        case .uint32, .fixed32: return .uint32(try integer("uint32"))
        case .uint64, .fixed64: return .uint64(try integer("uint64"))
        case .float: return .float(try floating("float"))
        case .double: return .double(try floating("double"))
        case .bool:
            if scanner.takeLiteral("true") { return .bool(true) }
            if scanner.takeLiteral("false") { return .bool(false) }
            throw mismatch("expected true or false")
        case .string: return .string(try text("expected a string"))
        case .bytes:
            let text = try text("expected a base64 string")
            let capacity = text.utf8.count / 4 * 3 + 3
            guard let bytes = Base64.decode(text.utf8, capacity: capacity) else {
                throw scanner.error(.mismatch, "invalid base64", at: valueStart)
            }
            return .bytes(bytes)
        case .enumeration: return try enumeration(field)
        case .message, .group: throw mismatch("groups have no JSON form")
        }
    }

    /// The key of a map entry, always a string in JSON.
    mutating func mapKey(
        _ field: FieldSchema, _ text: String, at start: Int
    ) throws(ProtobufError) -> DynamicValue {
        let key: DynamicValue? =
            switch field.kind {
            case .string: .string(text)
            case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
            case .int32, .sint32, .sfixed32: number(text).map { .int32($0) }
            case .int64, .sint64, .sfixed64: number(text).map { .int64($0) }
            case .uint32, .fixed32: number(text).map { .uint32($0) }
            case .uint64, .fixed64: number(text).map { .uint64($0) }
            default: nil
            }
        guard let key else { throw scanner.error(.mismatch, "invalid map key", at: start) }
        return key
    }

    private func number<T: FixedWidthInteger>(_ text: String) -> T? {
        JSONNumber.isNumber(text) ? JSONNumber.integer(text) : nil
    }

    /// The next value is of the wrong JSON type.
    mutating func mismatch(_ message: String) -> ProtobufError {
        guard scanner.peek() != nil else { return scanner.unexpected() }
        return scanner.error(.mismatch, message)
    }

    mutating func text(_ expectation: String) throws(ProtobufError) -> String {
        guard scanner.peek() == UInt8(ascii: "\"") else { throw mismatch(expectation) }
        valueStart = scanner.offset
        return try scanner.string()
    }

    /// A number token, or the text of a string that may hold a number.
    private mutating func numberText(
        _ type: String
    ) throws(ProtobufError) -> (text: String, isQuoted: Bool) {
        switch scanner.peek() {
        case UInt8(ascii: "\""): return (try text(""), true)
        case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?:
            valueStart = scanner.offset
            return (try scanner.number(), false)
        default: throw mismatch("expected a number (\(type))")
        }
    }

    private mutating func integer<T: FixedWidthInteger>(_ type: String) throws(ProtobufError) -> T {
        let (text, isQuoted) = try numberText(type)
        guard !isQuoted || JSONNumber.isNumber(text), let value: T = JSONNumber.integer(text) else {
            throw scanner.error(.mismatch, "\(text) is not an \(type)", at: valueStart)
        }
        return value
    }

    private mutating func floating<T: BinaryFloatingPoint & LosslessStringConvertible>(
        _ type: String
    ) throws(ProtobufError) -> T {
        let (text, isQuoted) = try numberText(type)
        if isQuoted {
            switch text {
            case "NaN": return .nan
            case "Infinity": return .infinity
            case "-Infinity": return -.infinity
            default: break
            }
        }
        guard !isQuoted || JSONNumber.isNumber(text), let value = T(text), value.isFinite else {
            throw scanner.error(.mismatch, "\(text) is not a \(type)", at: valueStart)
        }
        return value
    }

    private mutating func enumeration(_ field: FieldSchema) throws(ProtobufError) -> DynamicValue? {
        guard let type = field.enumType else { return nil }
        if type.isNullValue, scanner.takeLiteral("null") { return .enumeration(0) }
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            let name = try text("")
            if let number = options.enumNumber?(type, name) ?? type.value(named: name)?.number {
                return .enumeration(number)
            }
            if options.ignoreUnknownFields { return nil }
            throw scanner.error(
                .mismatch, "\(type.fullName) has no value \"\(name)\"", at: valueStart)
        case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?:
            return .enumeration(try integer("enum number"))
        default: throw mismatch("expected the name or number of a \(type.fullName)")
        }
    }
}
