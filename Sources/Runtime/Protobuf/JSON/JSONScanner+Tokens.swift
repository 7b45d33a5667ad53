extension JSONScanner {
    /// The text of a number token.
    mutating func number() throws(ProtobufError) -> String {
        skipSpace()
        let start = offset
        if byte == UInt8(ascii: "-") { offset += 1 }
        if byte == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits()
        }
        if byte == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            offset += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        return text(start..<offset)
    }

    private var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func digits() throws(ProtobufError) {
        let start = offset
        while let digit = byte, digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") {
            offset += 1
        }
        if offset == start { throw unexpected() }
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// The value of a string token, escapes resolved.
    mutating func string() throws(ProtobufError) -> String {
        try take("\"")
        let start = offset
        while let next = byte {
            switch next {
            case UInt8(ascii: "\""):
                offset += 1
                return text(start..<(offset - 1))
            case UInt8(ascii: "\\"): return try escaped(from: start)
            case 0..<0x20: throw unexpected()
            default: offset += 1
            }
        }
        throw unexpected()
    }

    /// Continues a string at its first escape.
    private mutating func escaped(from start: Int) throws(ProtobufError) -> String {
        var result = Array(bytes[start..<offset])
        while let next = byte {
            switch next {
            case UInt8(ascii: "\""):
                offset += 1
                return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"):
                offset += 1
                try escape(&result)
            case 0..<0x20: throw unexpected()
            default:
                result.append(next)
                offset += 1
            }
        }
        throw unexpected()
    }

    private mutating func escape(_ result: inout [UInt8]) throws(ProtobufError) {
        guard let kind = byte else { throw unexpected() }
        let start = offset - 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(kind)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            offset += 1
            var code = try hex4()
            if (0xD800..<0xDC00).contains(code) {
                guard byte == UInt8(ascii: "\\"), offset + 1 < bytes.count,
                    bytes[offset + 1] == UInt8(ascii: "u")
                else { throw error(.malformed, "lone surrogate in a string", at: start) }
                offset += 2
                let low = try hex4()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw error(.malformed, "lone surrogate in a string", at: start)
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw error(.malformed, "lone surrogate in a string", at: start)
            }
            result.append(contentsOf: UTF8.encode(scalar) ?? .init())
            return
        default: throw unexpected()
        }
        offset += 1
    }

    private mutating func hex4() throws(ProtobufError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = byte, let nibble = Character(Unicode.Scalar(digit)).hexDigitValue
            else { throw unexpected() }
            value = value << 4 | UInt32(nibble)
            offset += 1
        }
        return value
    }
}
