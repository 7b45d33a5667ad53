import Environment

/// PostgreSQL's `ISO` text of `timestamptz` with the session's time zone at UTC
/// (manual, section 8.5.2): `2025-12-02 10:00:00.123456+00`.
enum TimestampText {
    static func write(_ instant: Instant) -> String {
        // The server reads RFC 3339. Beyond the years that it can hold, the server's epoch
        // arithmetic would be needed; nobody books in the year 10000, so those saturate.
        min(max(instant, .earliestText), .latestText).rfc3339
    }

    static func read(_ text: UnsafeRawBufferPointer) -> Instant? {
        var scanner = TextScanner(text)
        guard let date = scanner.date(), scanner.byte(0x20),
            let hour = scanner.digits(2), scanner.byte(0x3A),
            let minute = scanner.digits(2), scanner.byte(0x3A),
            let second = scanner.digits(2)
        else { return nil }
        let fraction = scanner.byte(0x2E) ? scanner.microseconds() : 0
        guard let fraction, scanner.utcOffset(), scanner.isAtEnd else { return nil }
        let seconds = Int64(date.daysSinceEpoch) * 86_400
        let time = Int64(hour * 3600 + minute * 60 + second)
        return Instant(microseconds: (seconds + time) * 1_000_000 + Int64(fraction))
    }

    static func readDate(_ text: UnsafeRawBufferPointer) -> LocalDate? {
        var scanner = TextScanner(text)
        guard let date = scanner.date(), scanner.isAtEnd else { return nil }
        return date
    }
}

/// Reads digits from left to right.
private struct TextScanner {
    private let text: UnsafeRawBufferPointer
    private var position = 0

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
    }

    var isAtEnd: Bool { position == text.count }

    mutating func byte(_ expected: UInt8) -> Bool {
        guard position < text.count, text[position] == expected else { return false }
        position += 1
        return true
    }

    private mutating func digit() -> Int? {
        guard position < text.count, case 0x30...0x39 = text[position] else { return nil }
        position += 1
        return Int(text[position - 1] - 0x30)
    }

    mutating func digits(_ count: Int) -> Int? {
        var value = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func microseconds() -> Int? {
        guard var value = digit() else { return nil }
        var count = 1
        while let digit = digit() {
            value = value * 10 + digit
            count += 1
        }
        guard count <= 6 else { return nil }
        for _ in count..<6 { value *= 10 }
        return value
    }

    mutating func date() -> LocalDate? {
        guard let year = digits(4), byte(0x2D), let month = digits(2), byte(0x2D),
            let day = digits(2)
        else { return nil }
        return LocalDate(year: year, month: month, day: day)
    }

    /// `+00`, also `+00:00`; anything else means that the session is not at UTC.
    mutating func utcOffset() -> Bool {
        guard byte(0x2B), digits(2) == 0 else { return false }
        return byte(0x3A) ? digits(2) == 0 : true
    }
}
