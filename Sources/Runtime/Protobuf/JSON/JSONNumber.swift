/// Exact integers out of JSON numbers: `1`, `1.0`, `1e3` and `-0` are integers, `0.5` is not.
enum JSONNumber {
    /// `text` must follow JSON's number grammar; nil when it is no integer or out of range.
    static func integer<T: FixedWidthInteger>(_ text: String) -> T? {
        if let plain = T(text) { return plain }
        var digits: [UInt8] = []
        var fraction = 0
        var exponent = 0
        var isNegative = false
        var inFraction = false
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest.removeFirst()
        }
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."): inFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let value = Int(String(rest) ?? "") else { return nil }
                exponent = value
                rest = rest[rest.endIndex...]
            default:
                digits.append(byte - 48)
                if inFraction { fraction += 1 }
            }
        }
        while digits.last == 0 {
            digits.removeLast()
            fraction -= 1
        }
        if digits.isEmpty { return 0 }
        let (zeros, overflow) = exponent.subtractingReportingOverflow(fraction)
        // No 64-bit integer has more than twenty digits.
        guard !overflow, zeros >= 0, zeros <= 20 else { return nil }
        var result: T = 0
        for digit in digits + Array(repeating: 0, count: zeros) {
            let (scaled, scaledOver) = result.multipliedReportingOverflow(by: 10)
            let (next, nextOver) =
                isNegative
                ? scaled.subtractingReportingOverflow(T(digit))
                : scaled.addingReportingOverflow(T(digit))
            if scaledOver || nextOver { return nil }
            result = next
        }
        return result
    }

    /// Whether a text is exactly one JSON number, for numbers inside strings.
    static func isNumber(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { utf8 in
            guard let first = utf8.first, first == UInt8(ascii: "-") || first >= 48 else {
                return false
            }
            do throws(ProtobufError) {
                var scanner = try JSONScanner(UnsafeRawBufferPointer(utf8), maxDepth: 0)
                _ = try scanner.number()
                return scanner.offset == utf8.count
            } catch {
                return false
            }
        }
    }
}
