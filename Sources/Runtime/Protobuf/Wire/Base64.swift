/// Decodes the standard base64 alphabet of embedded descriptors.
///
/// The target depends on nothing that has base64, and JSON `bytes` need their own strictness.
enum EmbeddedBase64 {
    static func decode(_ text: StaticString) throws(ProtobufError) -> [UInt8] {
        let result = text.withUTF8Buffer { input in
            Base64.decode(input.lazy.filter { $0 > 0x20 }, capacity: input.count / 4 * 3)
        }
        guard let result else { throw ProtobufError(.malformed, "invalid base64") }
        return result
    }
}

/// Base64 and base64url (RFC 4648), padded or not, as ProtoJSON accepts them.
enum Base64 {
    static func decode(_ text: some Sequence<UInt8>, capacity: Int) -> [UInt8]? {
        var output: [UInt8] = []
        output.reserveCapacity(capacity)
        var bits: UInt32 = 0
        var symbols = 0
        var padding = 0
        for character in text {
            let value: UInt32
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(character) - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(character) - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(character) + 4
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            case UInt8(ascii: "="):
                padding += 1
                continue
            default: return nil
            }
            if padding > 0 { return nil }
            bits = bits << 6 | value
            symbols += 1
            if symbols & 3 == 0 {
                output.append(UInt8(truncatingIfNeeded: bits >> 16))
                output.append(UInt8(truncatingIfNeeded: bits >> 8))
                output.append(UInt8(truncatingIfNeeded: bits))
            }
        }
        let rest = symbols & 3
        if rest == 1 || (padding > 0 && (rest == 0 || rest + padding != 4)) { return nil }
        if rest >= 2 { output.append(UInt8(truncatingIfNeeded: bits >> (rest == 2 ? 4 : 10))) }
        if rest == 3 { output.append(UInt8(truncatingIfNeeded: bits >> 2)) }
        return output
    }

    /// Standard alphabet with padding.
    static func encode(_ bytes: [UInt8], into output: inout [UInt8]) {
        let alphabet: StaticString =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        alphabet.withUTF8Buffer { symbols in
            var k = 0
            while k < bytes.count {
                let left = bytes.count - k
                let group =
                    UInt32(bytes[k]) << 16 | UInt32(left > 1 ? bytes[k + 1] : 0) << 8
                    | UInt32(left > 2 ? bytes[k + 2] : 0)
                output.append(symbols[Int(group >> 18)])
                output.append(symbols[Int(group >> 12 & 63)])
                output.append(left > 1 ? symbols[Int(group >> 6 & 63)] : UInt8(ascii: "="))
                output.append(left > 2 ? symbols[Int(group & 63)] : UInt8(ascii: "="))
                k += 3
            }
        }
    }
}
