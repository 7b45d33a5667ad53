/// The footer of a zone's file: what holds after its last transition, for all time (RFC 8536 §3.3,
/// POSIX `TZ`): `CET-1CEST,M3.5.0,M10.5.0/3`.
struct TimeZoneRule: Sendable, Hashable {
    /// One of the two days of a year on which clocks change, with the second of that day.
    struct Change: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// Week 5 is the last one; Sunday is 0.
            case weekday(month: Int, week: Int, day: Int)
            /// 1…365, 29 February never counts.
            case julian(Int)
            /// 0…365.
            case dayOfYear(Int)
        }

        var day: Day
        /// -167 to 167 hours; two in the morning when not named.
        var second = 7200

        /// Seconds since 1970 on the clock that shows the old time.
        func local(in year: Int) -> Int64 {
            let first = LocalDate(year: year, month: 1, day: 1)?.daysSinceEpoch ?? 0
            let days: Int
            switch day {
            case .dayOfYear(let number): days = first + number
            case .julian(let number):
                let leaps = LocalDate.days(inMonth: 2, ofYear: year) == 29 && number >= 60
                days = first + number - 1 + (leaps ? 1 : 0)
            case .weekday(let month, let week, let weekday):
                let length = LocalDate.days(inMonth: month, ofYear: year)
                let start = LocalDate(year: year, month: month, day: 1)
                let shift = (weekday - (start?.weekday ?? 0) % 7 + 7) % 7
                var day = shift + (week - 1) * 7
                while day >= length { day -= 7 }
                days = (start?.daysSinceEpoch ?? 0) + day
            }
            return Int64(days) * 86_400 + Int64(second)
        }
    }

    private let standard: Int
    private let summer: (offset: Int, begins: Change, ends: Change)?

    var offsets: [Int] { [standard] + (summer.map { [$0.offset] } ?? []) }

    static func == (left: TimeZoneRule, right: TimeZoneRule) -> Bool {
        left.standard == right.standard && left.summer?.offset == right.summer?.offset
            && left.summer?.begins == right.summer?.begins
            && left.summer?.ends == right.summer?.ends
    }

    func hash(into hasher: inout Hasher) { hasher.combine(standard) }

    func offset(at seconds: Int64) -> Int {
        guard let summer else { return standard }
        // The year by standard time: a change is never so near the turn of the year that the
        // neighbouring years could not decide.
        let day = (seconds + Int64(standard)) / 86_400
        let year = LocalDate(daysSinceEpoch: Int(day)).year
        var latest: (at: Int64, offset: Int) = (.min, standard)
        for year in (year - 1)...(year + 1) {
            let begins = summer.begins.local(in: year) - Int64(standard)
            let ends = summer.ends.local(in: year) - Int64(summer.offset)
            for change in [(begins, summer.offset), (ends, standard)]
            where change.0 <= seconds && change.0 > latest.at {
                latest = change
            }
        }
        return latest.offset
    }

    /// Nil when the text is no such rule.
    init?(_ text: String) {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard scanner.name(), let west = scanner.time() else { return nil }
        standard = -west
        if scanner.isAtEnd {
            summer = nil
            return
        }
        guard scanner.name() else { return nil }
        var offset = standard + 3600
        if scanner.peek != UInt8(ascii: ",") {
            guard let west = scanner.time() else { return nil }
            offset = -west
        }
        guard let begins = scanner.change(), let ends = scanner.change(), scanner.isAtEnd else {
            return nil
        }
        summer = (offset, begins, ends)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        var peek: UInt8? { index < bytes.count ? bytes[index] : nil }
        var isAtEnd: Bool { index == bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek == byte else { return false }
            index += 1
            return true
        }

        /// `CET` or `<+0330>`: at least three characters.
        mutating func name() -> Bool {
            let start = index
            if take(UInt8(ascii: "<")) {
                while let byte = peek, byte != UInt8(ascii: ">") { index += 1 }
                return take(UInt8(ascii: ">")) && index - start >= 5
            }
            while let byte = peek, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) {
                index += 1
            }
            return index - start >= 3
        }

        mutating func number() -> Int? {
            let start = index
            var value = 0
            while let byte = peek, (0x30...0x39).contains(byte), index - start < 3 {
                value = value * 10 + Int(byte - 0x30)
                index += 1
            }
            return index > start ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int? {
            let sign = take(UInt8(ascii: "-")) ? -1 : 1
            if sign == 1 { _ = take(UInt8(ascii: "+")) }
            guard let hours = number(), hours <= 167 else { return nil }
            var seconds = hours * 3600
            for unit in [60, 1] {
                guard take(UInt8(ascii: ":")) else { break }
                guard let value = number(), value < 60 else { return nil }
                seconds += value * unit
            }
            return sign * seconds
        }

        /// `,M3.5.0/2`
        mutating func change() -> Change? {
            guard take(UInt8(ascii: ",")) else { return nil }
            guard let day = day() else { return nil }
            var change = Change(day: day)
            if take(UInt8(ascii: "/")) {
                guard let second = time() else { return nil }
                change.second = second
            }
            return change
        }

        private mutating func day() -> Change.Day? {
            if take(UInt8(ascii: "M")) {
                guard let month = number(), (1...12).contains(month), take(UInt8(ascii: ".")),
                    let week = number(), (1...5).contains(week), take(UInt8(ascii: ".")),
                    let day = number(), (0...6).contains(day)
                else { return nil }
                return .weekday(month: month, week: week, day: day)
            }
            if take(UInt8(ascii: "J")) {
                guard let day = number(), (1...365).contains(day) else { return nil }
                return .julian(day)
            }
            guard let day = number(), day <= 365 else { return nil }
            return .dayOfYear(day)
        }
    }
}
