/// A strict JSON tokenizer (RFC 8259): no comments, no trailing commas, no lone surrogates.
///
/// Shared by `JSONValue` and `ProtoJSON`. It keeps the path of the value being read, so that
/// every error names both the byte and the field.
struct JSONScanner {
    enum Step {
        case field(String)
        case index(Int)
        case key(String)
    }

    let bytes: UnsafeRawBufferPointer
    var offset = 0
    var path: [Step] = []
    private var depthLeft: Int
    private let maxDepth: Int

    /// Errors: `.invalidUTF8` for the whole text at once.
    init(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) throws(ProtobufError) {
        self.bytes = bytes
        self.maxDepth = maxDepth
        depthLeft = maxDepth
        if let start = bytes.baseAddress,
            let invalid = UTF8Validator.invalid(start, 0, bytes.count)
        {
            throw ProtobufError(.invalidUTF8, "the text is not UTF-8", offset: invalid)
        }
    }

    // MARK: Errors

    func error(
        _ code: ProtobufError.Code, _ message: String, at position: Int? = nil
    ) -> ProtobufError {
        ProtobufError(code, message, offset: position ?? offset, path: pathText)
    }

    /// For example `slots[2].labels["a"]`, nil at the top.
    var pathText: String? {
        if path.isEmpty { return nil }
        var text = ""
        for step in path {
            switch step {
            case .field(let name): text += text.isEmpty ? name : ".\(name)"
            case .index(let index): text += "[\(index)]"
            case .key(let key): text += "[\"\(key)\"]"
            }
        }
        return text
    }

    func duplicate(_ key: String, at position: Int) -> ProtobufError {
        error(.malformed, "duplicate key \"\(key)\"", at: position)
    }

    func unexpected() -> ProtobufError {
        guard offset < bytes.count else { return error(.truncated, "the JSON text ends early") }
        let byte = bytes[offset]
        let name =
            byte > 0x20 && byte < 0x7F
            ? "character '\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
        return error(.malformed, "unexpected \(name)")
    }

    // MARK: Structure

    mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    /// The first byte of the next token, nil at the end.
    mutating func peek() -> UInt8? {
        skipSpace()
        return offset < bytes.count ? bytes[offset] : nil
    }

    mutating func take(_ byte: Character) throws(ProtobufError) {
        guard peek() == byte.asciiValue else { throw unexpected() }
        offset += 1
    }

    mutating func takeIf(_ byte: Character) -> Bool {
        guard peek() == byte.asciiValue else { return false }
        offset += 1
        return true
    }

    mutating func end() throws(ProtobufError) {
        if peek() != nil { throw unexpected() }
    }

    /// Enters an object or array; false when it is empty and thus left again.
    ///
    /// The pattern: `var more = try open("{", "}"); while more { …; more = try next("}") }`.
    mutating func open(_ bracket: Character, _ close: Character) throws(ProtobufError) -> Bool {
        guard peek() == bracket.asciiValue else { throw unexpected() }
        guard depthLeft > 0 else {
            throw error(.tooDeep, "JSON nests deeper than \(maxDepth) levels")
        }
        offset += 1
        if takeIf(close) { return false }
        depthLeft -= 1
        return true
    }

    /// Behind a member or element: true when another follows, false when the bracket closes.
    mutating func next(_ close: Character) throws(ProtobufError) -> Bool {
        if takeIf(",") { return true }
        try take(close)
        depthLeft += 1
        return false
    }

    /// A member's key and its offset; the scanner is then behind the colon.
    mutating func key() throws(ProtobufError) -> (name: String, offset: Int) {
        guard peek() == UInt8(ascii: "\"") else { throw unexpected() }
        let start = offset
        let name = try string()
        try take(":")
        return (name, start)
    }

    /// `true`, `false` or `null`, when that is the next token.
    mutating func takeLiteral(_ literal: StaticString) -> Bool {
        skipSpace()
        let length = literal.utf8CodeUnitCount
        guard bytes.count - offset >= length else { return false }
        let matches = literal.withUTF8Buffer { text in
            bytes[offset..<(offset + length)].elementsEqual(text)
        }
        if matches { offset += length }
        return matches
    }

    /// Reads and forgets a value, with all the strictness of reading it.
    mutating func skipValue() throws(ProtobufError) {
        switch peek() {
        case UInt8(ascii: "{"):
            // Bytes, as the keys of maps.
            var seen: Set<DynamicValue> = []
            var more = try open("{", "}")
            while more {
                let (name, start) = try key()
                guard seen.insert(.string(name)).inserted else { throw duplicate(name, at: start) }
                try skipValue()
                more = try next("}")
            }
        case UInt8(ascii: "["):
            var more = try open("[", "]")
            while more {
                try skipValue()
                more = try next("]")
            }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?: _ = try number()
        default:
            guard takeLiteral("true") || takeLiteral("false") || takeLiteral("null") else {
                throw unexpected()
            }
        }
    }
}
