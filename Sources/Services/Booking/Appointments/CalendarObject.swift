import Environment

/// One appointment as an iCalendar object (RFC 5545) in UTC, as sent by iTIP (RFC 5546): the same
/// UID for ever, a SEQUENCE that grows with the booking. Pure.
struct CalendarObject: Sendable, Hashable {
    enum Method: String, Sendable { case publish = "PUBLISH", cancel = "CANCEL" }

    var method: Method
    /// Of the appointment, the same over all reschedulings.
    var uid: String
    var sequence: Int64
    var stamp: Instant
    var startsAt: Instant
    var endsAt: Instant
    var summary: String
    var location: String
    var description: String

    /// UTF-8 with CRLF, lines of at most 75 octets (section 3.1).
    var text: String {
        var lines = [
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Janji//Booking//EN", "CALSCALE:GREGORIAN",
            "METHOD:\(method.rawValue)", "BEGIN:VEVENT", "UID:\(Self.escaped(uid))",
            "SEQUENCE:\(sequence)", "DTSTAMP:\(Self.utc(stamp))", "DTSTART:\(Self.utc(startsAt))",
            "DTEND:\(Self.utc(endsAt))", "SUMMARY:\(Self.escaped(summary))",
        ]
        if !location.isEmpty { lines.append("LOCATION:\(Self.escaped(location))") }
        if !description.isEmpty { lines.append("DESCRIPTION:\(Self.escaped(description))") }
        lines += [
            "STATUS:\(method == .cancel ? "CANCELLED" : "CONFIRMED")", "TRANSP:OPAQUE",
            "END:VEVENT", "END:VCALENDAR",
        ]
        return lines.map { Self.folded($0) + "\r\n" }.joined()
    }

    /// TEXT values (section 3.3.11); other control characters do not belong into one.
    static func escaped(_ text: String) -> String {
        var result = ""
        var lastWasReturn = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", ";", ",": result += "\\\(scalar)"
            case "\r": result += "\\n"
            case "\n": if !lastWasReturn { result += "\\n" }
            case "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.value < 32 || scalar.value == 127: break
            default: result.unicodeScalars.append(scalar)
            }
            lastWasReturn = scalar == "\r"
        }
        return result
    }

    /// No line is longer than 75 octets, its break not counted; no character is cut in two.
    static func folded(_ line: String) -> String {
        var result = ""
        var length = 0
        for scalar in line.unicodeScalars {
            let octets = UTF8.width(scalar)
            if length + octets > 75 {
                result += "\r\n "
                length = 1
            }
            result.unicodeScalars.append(scalar)
            length += octets
        }
        return result
    }

    /// `20251202T100000Z`; parts of a second are cut off.
    static func utc(_ instant: Instant) -> String {
        let whole = Instant(secondsSinceEpoch: instant.secondsSinceEpoch)
        return whole.rfc3339.filter { $0 != "-" && $0 != ":" }
    }
}
