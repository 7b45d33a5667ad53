/// Base 64 (RFC 4648 sections 4 and 5).
public enum Base64 {
    public enum Variant: Sendable {
        /// `+` and `/`, padded with `=`.
        case standard
        /// `-` and `_`, without padding (RFC 7515 section 2).
        case url
    }

    public static func encode(_ bytes: [UInt8], variant: Variant = .standard) -> String {
        let isPadded = variant == .standard
        let count = isPadded ? (bytes.count + 2) / 3 * 4 : (bytes.count * 4 + 2) / 3
        return String(unsafeUninitializedCapacity: count) { text in
            var position = 0
            var bits: UInt32 = 0
            var bitCount: UInt32 = 0
            func emit(_ value: UInt32) {
                text[position] = character(UInt8(value & 0x3F), variant)
                position += 1
            }
            for byte in bytes {
                bits = bits << 8 | UInt32(byte)
                bitCount += 8
                while bitCount >= 6 {
                    bitCount -= 6
                    emit(bits >> bitCount)
                }
            }
            if bitCount > 0 { emit(bits << (6 - bitCount)) }
            while position < count {
                text[position] = UInt8(ascii: "=")
                position += 1
            }
            return count
        }
    }

    /// Strict: only what `encode` writes. Nil for characters of the other variant, white space,
    /// missing or superfluous padding, and unused bits that are not zero (RFC 4648 section 3.5),
    /// so that no two texts mean the same bytes.
    public static func decode(_ text: String, variant: Variant = .standard) -> [UInt8]? {
        decode(text.utf8, variant: variant)
    }

    static func decode(_ text: some BidirectionalCollection<UInt8>, variant: Variant) -> [UInt8]? {
        var digits = text[...]
        if variant == .standard {
            guard text.count % 4 == 0 else { return nil }
            for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
        }
        let count = digits.count
        guard count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for digit in digits {
            guard let value = value(digit, variant) else { return nil }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
            }
        }
        let unused = bits & (1 << bitCount - 1)
        return unused == 0 ? bytes : nil
    }

    private static func character(_ value: UInt8, _ variant: Variant) -> UInt8 {
        switch value {
        case 0..<26: value + 0x41
        case 26..<52: value - 26 + 0x61
        case 52..<62: value - 52 + 0x30
        case 62: variant == .url ? UInt8(ascii: "-") : UInt8(ascii: "+")
        default: variant == .url ? UInt8(ascii: "_") : UInt8(ascii: "/")
        }
    }

    private static func value(_ character: UInt8, _ variant: Variant) -> UInt8? {
        switch character {
        case 0x41...0x5A: character - 0x41
        case 0x61...0x7A: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case UInt8(ascii: "+") where variant == .standard, UInt8(ascii: "-") where variant == .url:
            62
        case UInt8(ascii: "/") where variant == .standard, UInt8(ascii: "_") where variant == .url:
            63
        default: nil
        }
    }
}
