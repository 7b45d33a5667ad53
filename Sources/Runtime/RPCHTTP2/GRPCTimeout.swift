/// `grpc-timeout`: at most 8 digits and a unit (PROTOCOL-HTTP2.md).
package enum GRPCTimeout {
    /// Nil when it is malformed.
    package static func parse(_ text: UnsafeRawBufferPointer) -> Duration? {
        guard text.count >= 2, text.count <= 9, let unit = text.last else { return nil }
        var value: Int64 = 0
        for byte in text.dropLast() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        switch unit {
        case UInt8(ascii: "H"): return .seconds(value * 3600)
        case UInt8(ascii: "M"): return .seconds(value * 60)
        case UInt8(ascii: "S"): return .seconds(value)
        case UInt8(ascii: "m"): return .milliseconds(value)
        case UInt8(ascii: "u"): return .microseconds(value)
        case UInt8(ascii: "n"): return .nanoseconds(value)
        default: return nil
        }
    }

    /// The finest unit that fits into 8 digits, rounded up: the server never gives up early.
    package static func print(nanoseconds: Int64) -> String {
        let nanoseconds = max(1, nanoseconds)
        let units: [(Int64, String)] = [
            (1, "n"), (1_000, "u"), (1_000_000, "m"), (1_000_000_000, "S"),
            (60_000_000_000, "M"), (3_600_000_000_000, "H"),
        ]
        for (size, unit) in units {
            let value = (nanoseconds - 1) / size + 1
            if value <= 99_999_999 { return "\(value)\(unit)" }
        }
        return "99999999H"
    }
}
