import Environment
import Testing

@testable import Booking

/// RFC 5545 to the letter: what mail programs and calendars stumble over.
struct CalendarObjectTests {
    static let object = CalendarObject(
        method: .publish, uid: "a@janji", sequence: 3,
        stamp: Instant(microseconds: 1_764_633_600_999_999),
        startsAt: Instant(microseconds: 1_764_633_600_000_000),
        endsAt: Instant(microseconds: 1_764_637_200_000_000), summary: "Check-up", location: "",
        description: "")

    @Test("E-14: the whole object")
    func whole() {
        let expected = """
            BEGIN:VCALENDAR
            VERSION:2.0
            PRODID:-//Janji//Booking//EN
            CALSCALE:GREGORIAN
            METHOD:PUBLISH
            BEGIN:VEVENT
            UID:a@janji
            SEQUENCE:3
            DTSTAMP:20251202T000000Z
            DTSTART:20251202T000000Z
            DTEND:20251202T010000Z
            SUMMARY:Check-up
            STATUS:CONFIRMED
            TRANSP:OPAQUE
            END:VEVENT
            END:VCALENDAR

            """
        #expect(
            Self.object.text
                == expected.split(separator: "\n", omittingEmptySubsequences: false).joined(
                    separator: "\r\n"))
    }

    @Test(
        "section 3.3.11: what must be escaped is, and nothing can begin a line of its own",
        arguments: [
            ("a;b,c\\d", "a\\;b\\,c\\\\d"), ("one\ntwo", "one\\ntwo"), ("one\r\ntwo", "one\\ntwo"),
            ("one\rtwo\n\nthree", "one\\ntwo\\n\\nthree"), ("bell\u{7}\u{0}!", "bell!"),
            ("x\r\nEND:VEVENT", "x\\nEND:VEVENT"), ("tab\there: \"q\"", "tab\there: \"q\""),
        ])
    func escaping(_ text: String, _ expected: String) {
        #expect(CalendarObject.escaped(text) == expected)
    }

    @Test(
        "section 3.1: no line over 75 octets, no character cut in two, and unfolding gives it back",
        arguments: [
            String(repeating: "a", count: 75), String(repeating: "a", count: 76),
            String(repeating: "a", count: 300), String(repeating: "é", count: 100),
            "SUMMARY:" + String(repeating: "猫🐈", count: 60),
        ])
    func folding(_ line: String) {
        let folded = CalendarObject.folded(line)
        let lines = folded.split(separator: "\r\n").map(String.init)
        #expect(lines.allSatisfy { $0.utf8.count <= 75 })
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix(" ") })
        let unfolded = lines.enumerated().map { $0 == 0 ? $1 : String($1.dropFirst()) }.joined()
        #expect(unfolded == line)
        #expect((lines.count == 1) == (line.utf8.count <= 75))
    }
}
