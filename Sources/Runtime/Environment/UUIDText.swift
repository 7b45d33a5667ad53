extension UUID: CustomStringConvertible {
    /// Parses strictly 8-4-4-4-12 hexadecimal digits, in either case; no braces, no `urn:uuid:`.
    public init?(_ text: String) {
        guard text.utf8.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var position = 0
        for byte in text.utf8 {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = Self.hexValue(byte) else { return nil }
                // The first eighteen characters hold sixteen digits and two hyphens.
                if position < 18 { high = high << 4 | digit } else { low = low << 4 | digit }
            }
            position += 1
        }
        self.init(bytes: (high, low))
    }

    /// Lower case, 8-4-4-4-12.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let half = index < 16 ? bytes.0 : bytes.1
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - index % 16 * 4)) & 0xF
                buffer[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
                position += 1
            }
            return position
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x41...0x46: UInt64(byte - 0x41 + 10)
        case 0x61...0x66: UInt64(byte - 0x61 + 10)
        default: nil
        }
    }
}
