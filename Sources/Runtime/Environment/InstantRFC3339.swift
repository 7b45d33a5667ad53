extension Instant {
    /// Years 0001 to 9999, the range that RFC 3339 text and `google.protobuf.Timestamp` can hold.
    public static let earliestText = Instant(microseconds: -62_135_596_800_000_000)
    public static let latestText = Instant(microseconds: 253_402_300_799_999_999)

    /// Parses an RFC 3339 section 5.6 `date-time`: `2025-12-02T10:00:00Z`, with an optional
    /// fraction (digits after the sixth are cut off) and `Z` or a numeric offset.
    ///
    /// `t` and `z` may be lower case. Returns nil for anything else: a missing offset, a space
    /// instead of `T`, dates that do not exist, `24:00`, leap seconds, and results outside the
    /// years 0001 to 9999.
    public init?(rfc3339 text: String) {
        var scanner = DigitScanner(text)
        guard let date = scanner.date(), scanner.letter("T"),
            let hour = scanner.number(digits: 2, in: 0...23), scanner.byte(":"),
            let minute = scanner.number(digits: 2, in: 0...59), scanner.byte(":"),
            let second = scanner.number(digits: 2, in: 0...59)
        else { return nil }
        var micros = 0
        if scanner.byte(".") {
            guard let fraction = scanner.fraction(digits: 6) else { return nil }
            micros = fraction
        }
        guard let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let seconds = date.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second - offset
        let instant = Instant(microseconds: Int64(seconds) * 1_000_000 + Int64(micros))
        guard instant >= Self.earliestText, instant <= Self.latestText else { return nil }
        self = instant
    }

    /// RFC 3339 in UTC, always with `Z`, with 0, 3 or 6 fraction digits as the value needs.
    ///
    /// Values outside the years 0001 to 9999 are clamped to that range, so that the text always
    /// parses.
    public var rfc3339: String {
        let clamped = min(max(self, Self.earliestText), Self.latestText)
        let seconds = Int(clamped.secondsSinceEpoch)
        let micros = Int(clamped.microseconds) - seconds * 1_000_000
        let date = clamped.date
        let time = seconds - date.daysSinceEpoch * 86_400
        return String(unsafeUninitializedCapacity: 27) { buffer in
            var writer = DigitWriter(buffer)
            writer.date(date)
            writer.byte("T")
            writer.number(time / 3600, digits: 2)
            writer.byte(":")
            writer.number(time / 60 % 60, digits: 2)
            writer.byte(":")
            writer.number(time % 60, digits: 2)
            if micros % 1000 != 0 {
                writer.byte(".")
                writer.number(micros, digits: 6)
            } else if micros != 0 {
                writer.byte(".")
                writer.number(micros / 1000, digits: 3)
            }
            writer.byte("Z")
            return writer.count
        }
    }

    /// The calendar day in UTC.
    public var date: LocalDate {
        let seconds = Int(secondsSinceEpoch)
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        return LocalDate(daysSinceEpoch: days)
    }

    /// Midnight UTC at the start of a day.
    public init(startOf date: LocalDate) {
        self.init(secondsSinceEpoch: Int64(date.daysSinceEpoch) * 86_400)
    }
}

extension Instant: CustomStringConvertible {
    public var description: String { rfc3339 }
}
