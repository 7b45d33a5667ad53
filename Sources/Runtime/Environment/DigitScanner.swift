/// Reads the fixed-width decimal fields of RFC 3339 text, byte by byte.
struct DigitScanner {
    private let bytes: String.UTF8View
    private var position: String.UTF8View.Index

    init(_ text: String) {
        bytes = text.utf8
        position = bytes.startIndex
    }

    var isAtEnd: Bool { position == bytes.endIndex }

    private var next: UInt8? { isAtEnd ? nil : bytes[position] }

    /// Consumes exactly this byte, or nothing.
    mutating func byte(_ expected: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: expected) else { return false }
        position = bytes.index(after: position)
        return true
    }

    /// Consumes this capital letter in either case.
    mutating func letter(_ capital: Unicode.Scalar) -> Bool {
        guard let next, next & 0xDF == UInt8(ascii: capital) else { return false }
        position = bytes.index(after: position)
        return true
    }

    mutating func digit() -> Int? {
        guard let next, next >= 0x30, next <= 0x39 else { return nil }
        position = bytes.index(after: position)
        return Int(next - 0x30)
    }

    mutating func number(digits: Int, in range: ClosedRange<Int>) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return range.contains(value) ? value : nil
    }

    /// One or more digits after a decimal point, as an integer of exactly `digits` places.
    mutating func fraction(digits: Int) -> Int? {
        var value = 0
        var count = 0
        while let digit = digit() {
            if count < digits { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, digits)..<digits { value *= 10 }
        return value
    }

    mutating func date() -> LocalDate? {
        guard let year = number(digits: 4, in: 1...9999), byte("-"),
            let month = number(digits: 2, in: 1...12), byte("-"),
            let day = number(digits: 2, in: 1...31)
        else { return nil }
        return LocalDate(year: year, month: month, day: day)
    }

    /// `Z` or `±hh:mm`, in seconds east of UTC.
    mutating func offset() -> Int? {
        if letter("Z") { return 0 }
        let isNegative = byte("-")
        guard isNegative || byte("+"),
            let hours = number(digits: 2, in: 0...23), byte(":"),
            let minutes = number(digits: 2, in: 0...59)
        else { return nil }
        let seconds = hours * 3600 + minutes * 60
        return isNegative ? -seconds : seconds
    }
}
