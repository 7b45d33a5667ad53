/// The texts of timestamps, durations and field masks.
enum WellKnownText {
    /// Years 1 to 9999, as seconds since 1970.
    static let timestampRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    /// About 10 000 years.
    static let durationRange: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

    // MARK: Timestamps (RFC 3339)

    static func timestamp(_ text: String) -> (seconds: Int64, nanos: Int32)? {
        var rest = text.utf8[...]
        guard let year = digits(4, &rest), take("-", &rest), let month = digits(2, &rest),
            take("-", &rest), let day = digits(2, &rest), take("T", &rest),
            let hour = digits(2, &rest), take(":", &rest), let minute = digits(2, &rest),
            take(":", &rest), let second = digits(2, &rest), let nanos = fraction(&rest),
            (1...12).contains(month), day >= 1, day <= length(of: month, in: year), hour < 24,
            minute < 60, second < 60
        else { return nil }
        var offset: Int64 = 0
        if !take("Z", &rest) {
            let sign: Int64
            if take("+", &rest) {
                sign = 1
            } else if take("-", &rest) {
                sign = -1
            } else {
                return nil
            }
            guard let hours = digits(2, &rest), take(":", &rest), let minutes = digits(2, &rest),
                hours < 24, minutes < 60
            else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        let days = days(year, month, day)
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        guard rest.isEmpty, timestampRange.contains(seconds) else { return nil }
        return (seconds, nanos)
    }

    /// nil when the value is outside the years 1 to 9999.
    static func text(timestamp seconds: Int64, _ nanos: Int32) -> String? {
        guard timestampRange.contains(seconds), (0..<1_000_000_000).contains(nanos) else {
            return nil
        }
        var days = seconds / 86400
        var time = seconds % 86400
        if time < 0 {
            time += 86400
            days -= 1
        }
        let (year, month, day) = date(days)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(time / 3600, 2))"
            + ":\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2))\(fraction(nanos))Z"
    }

    // MARK: Durations

    static func duration(_ text: String) -> (seconds: Int64, nanos: Int32)? {
        var rest = text.utf8[...]
        let isNegative = take("-", &rest)
        var seconds: Int64 = 0
        var count = 0
        while let digit = rest.first, (48...57).contains(digit) {
            rest.removeFirst()
            count += 1
            if count > 12 { return nil }
            seconds = seconds * 10 + Int64(digit - 48)
        }
        guard count > 0, let nanos = fraction(&rest), take("s", &rest), rest.isEmpty,
            durationRange.contains(seconds)
        else { return nil }
        return isNegative ? (-seconds, -nanos) : (seconds, nanos)
    }

    /// nil when out of range or when seconds and nanos have different signs.
    static func text(duration seconds: Int64, _ nanos: Int32) -> String? {
        guard durationRange.contains(seconds), (-999_999_999...999_999_999).contains(nanos),
            !(seconds > 0 && nanos < 0), !(seconds < 0 && nanos > 0)
        else { return nil }
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        return "\(sign)\(seconds.magnitude)\(fraction(abs(nanos)))s"
    }

    // MARK: Field masks

    /// Comma-separated paths in camelCase, as paths of original names.
    static func fieldMask(_ text: String) -> [String]? {
        if text.isEmpty { return [] }
        var paths: [String] = []
        for path in text.split(separator: ",", omittingEmptySubsequences: false) {
            var result = ""
            for scalar in path.unicodeScalars {
                if scalar == "_" { return nil }
                if scalar.isASCII, scalar.properties.isUppercase {
                    result += "_"
                    result.unicodeScalars.append(Unicode.Scalar(UInt8(scalar.value) + 32))
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
            if result.isEmpty { return nil }
            paths.append(result)
        }
        return paths
    }

    /// nil when a path would not survive the round trip through camelCase.
    static func text(fieldMask paths: [String]) -> String? {
        var parts: [String] = []
        for path in paths {
            let camel = FieldSchema.jsonName(of: path)
            guard fieldMask(camel) == [path] else { return nil }
            parts.append(camel)
        }
        return parts.joined(separator: ",")
    }

    // MARK: Pieces

    private static func take(_ character: Character, _ rest: inout Substring.UTF8View) -> Bool {
        guard rest.first == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    private static func digits(_ count: Int, _ rest: inout Substring.UTF8View) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit = rest.popFirst(), (48...57).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 48)
        }
        return value
    }

    /// "" or "." and one to nine digits, as nanoseconds.
    private static func fraction(_ rest: inout Substring.UTF8View) -> Int32? {
        guard take(".", &rest) else { return 0 }
        var value: Int32 = 0
        var count = 0
        while count < 9, let digit = rest.first, (48...57).contains(digit) {
            rest.removeFirst()
            value = value * 10 + Int32(digit - 48)
            count += 1
        }
        if count == 0 { return nil }
        for _ in count..<9 { value *= 10 }
        return value
    }

    /// 0, 3, 6 or 9 digits.
    private static func fraction(_ nanos: Int32) -> String {
        if nanos == 0 { return "" }
        if nanos % 1_000_000 == 0 { return "." + padded(Int64(nanos / 1_000_000), 3) }
        if nanos % 1000 == 0 { return "." + padded(Int64(nanos / 1000), 6) }
        return "." + padded(Int64(nanos), 9)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func length(of month: Int64, in year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
            dayOfYear - (153 * shifted + 2) / 5 + 1
        )
    }
}
