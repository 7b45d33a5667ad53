/// The tokens of protobuf's text format (protobuf.dev/reference/protobuf/textformat-spec).
struct TextFormatScanner {
    enum Token: Equatable {
        /// A name, or the number of a field or enum value as written.
        case word(String)
        case number(String)
        case string([UInt8])
        /// One of `{ } < > [ ] : , ; . / -`.
        case mark(UInt8)
        case end
    }

    private let bytes: [UInt8]
    private var offset = 0
    private(set) var token = Token.end
    /// Where `token` begins.
    private(set) var start = 0

    init(_ bytes: [UInt8]) throws(Failure) {
        self.bytes = bytes
        try advance()
    }

    /// A failure at the current token.
    func failure(_ sentence: String) -> Failure {
        let before = bytes[..<start]
        let line = before.count { $0 == 0x0A } + 1
        let column = start - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return Failure("\(sentence) (line \(line), column \(column))")
    }

    mutating func advance() throws(Failure) {
        skipBlanks()
        start = offset
        guard offset < bytes.count else {
            token = .end
            return
        }
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): token = .string(try string(byte))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): token = .number(takeWord())
        case UInt8(ascii: ".") where isDigit(offset + 1): token = .number(takeWord())
        case _ where TextFormatScanner.isWord(byte): token = .word(takeWord())
        default:
            guard "{}<>[]:,;./-".utf8.contains(byte) else {
                throw failure("there is a \"\(Character(Unicode.Scalar(byte)))\"")
            }
            offset += 1
            token = .mark(byte)
        }
    }

    /// Takes the mark when it is the next token.
    mutating func take(_ mark: Unicode.Scalar) throws(Failure) -> Bool {
        guard token == .mark(UInt8(ascii: mark)) else { return false }
        try advance()
        return true
    }

    private mutating func skipBlanks() {
        while offset < bytes.count {
            if bytes[offset] == UInt8(ascii: "#") {
                while offset < bytes.count, bytes[offset] != 0x0A { offset += 1 }
            } else if [0x20, 0x09, 0x0A, 0x0D, 0x0B, 0x0C].contains(bytes[offset]) {
                offset += 1
            } else {
                return
            }
        }
    }

    private func isDigit(_ index: Int) -> Bool {
        index < bytes.count && bytes[index] >= 0x30 && bytes[index] <= 0x39
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// A name; for a number also its point and the sign of its exponent.
    private mutating func takeWord() -> String {
        let begin = offset
        let isNumber = isDigit(offset) || bytes[offset] == UInt8(ascii: ".")
        while offset < bytes.count {
            let byte = bytes[offset]
            let isSign = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
            let inExponent =
                isSign && offset > begin && bytes[offset - 1] | 0x20 == UInt8(ascii: "e")
            guard
                TextFormatScanner.isWord(byte)
                    || isNumber && (byte == UInt8(ascii: ".") || inExponent)
            else { break }
            offset += 1
        }
        return String(decoding: bytes[begin..<offset], as: UTF8.self)
    }

    private mutating func string(_ quote: UInt8) throws(Failure) -> [UInt8] {
        var result: [UInt8] = []
        offset += 1
        while offset < bytes.count, bytes[offset] != quote {
            let byte = bytes[offset]
            offset += 1
            if byte == 0x0A { break }
            if byte == UInt8(ascii: "\\") {
                try escape(&result)
            } else {
                result.append(byte)
            }
        }
        guard offset < bytes.count, bytes[offset] == quote else {
            throw failure("a string does not end")
        }
        offset += 1
        return result
    }

    private mutating func escape(_ result: inout [UInt8]) throws(Failure) {
        guard offset < bytes.count else { throw failure("a string does not end") }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "a"): result.append(0x07)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "v"): result.append(0x0B)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "?"):
            result.append(byte)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            offset -= 1
            let value = digits(atMost: 3, radix: 8)
            result.append(UInt8(truncatingIfNeeded: value))
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            result.append(UInt8(truncatingIfNeeded: digits(atMost: 2, radix: 16)))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let value = digits(atMost: byte == UInt8(ascii: "u") ? 4 : 8, radix: 16)
            guard let scalar = Unicode.Scalar(value) else {
                throw failure("there is no character \\u\(String(value, radix: 16))")
            }
            result += Array(String(Character(scalar)).utf8)
        default:
            throw failure("there is no escape \\\(Character(Unicode.Scalar(byte)))")
        }
    }

    private mutating func digits(atMost count: Int, radix: Int) -> UInt32 {
        var value: UInt32 = 0
        var rest = count
        while rest > 0, offset < bytes.count,
            let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue, digit < radix
        {
            value = value &* UInt32(radix) &+ UInt32(digit)
            offset += 1
            rest -= 1
        }
        return value
    }
}
