import Environment
import Testing

@Suite struct InstantTests {
    @Test(
        "RFC 3339 text becomes microseconds",
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2025-12-02T10:00:00Z", 1_764_669_600_000_000),
            ("2025-12-02t10:00:00z", 1_764_669_600_000_000),
            ("2025-12-02T17:00:00+07:00", 1_764_669_600_000_000),
            ("2025-12-02T04:30:00-05:30", 1_764_669_600_000_000),
            ("2025-12-02T10:00:00-00:00", 1_764_669_600_000_000),
            ("2025-12-02T10:00:00.5Z", 1_764_669_600_500_000),
            ("2025-12-02T10:00:00.1234567899Z", 1_764_669_600_123_456),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ])
    func parses(text: String, microseconds: Int64) {
        #expect(Instant(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(
        "text that is not an RFC 3339 date-time is refused",
        arguments: [
            "", "2025-12-02", "2025-12-02T10:00:00", "2025-12-02 10:00:00Z",
            "2025-12-02T10:00Z", "2025-12-02T24:00:00Z", "2025-12-02T10:60:00Z",
            "2025-12-02T23:59:60Z", "2025-02-29T10:00:00Z", "2100-02-29T10:00:00Z",
            "2025-00-10T10:00:00Z", "2025-13-10T10:00:00Z", "2025-01-00T10:00:00Z",
            "2025-12-02T10:00:00.Z", "2025-12-02T10:00:00,5Z", "2025-12-02T10:00:00+7:00",
            "2025-12-02T10:00:00+0700", "2025-12-02T10:00:00+24:00", "2025-12-02T10:00:00+07:60",
            "2025-12-02T10:00:00Z ", " 2025-12-02T10:00:00Z", "2025-12-02T10:00:00ZZ",
            "25-12-02T10:00:00Z", "+2025-12-02T10:00:00Z", "0000-12-31T00:00:00Z",
            "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "２025-12-02T10:00:00Z",
            "2025-1a-02T10:00:00Z",
        ])
    func refuses(text: String) {
        #expect(Instant(rfc3339: text) == nil)
    }

    @Test(
        "the text has zero, three or six fraction digits",
        arguments: [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (-1_000, "1969-12-31T23:59:59.999Z"),
            (1_764_669_600_000_000, "2025-12-02T10:00:00Z"),
            (1_764_669_600_120_000, "2025-12-02T10:00:00.120Z"),
            (1_764_669_600_000_001, "2025-12-02T10:00:00.000001Z"),
            (Int64.min, "0001-01-01T00:00:00Z"),
            (Int64.max, "9999-12-31T23:59:59.999999Z"),
        ])
    func formats(microseconds: Int64, text: String) {
        #expect(Instant(microseconds: microseconds).rfc3339 == text)
    }

    @Test("random instants survive a round trip through text")
    func roundTrip() {
        let range = Instant.earliestText.microseconds...Instant.latestText.microseconds
        for _ in 0..<2000 {
            let instant = Instant(microseconds: .random(in: range))
            #expect(Instant(rfc3339: instant.rfc3339) == instant)
        }
    }

    @Test func arithmetic() {
        let start = Instant(microseconds: 1_000_000)
        #expect(start + .milliseconds(2500) == Instant(microseconds: 3_500_000))
        #expect(start - .seconds(2) == Instant(microseconds: -1_000_000))
        #expect(start + .nanoseconds(1999) == Instant(microseconds: 1_000_001))
        #expect(start.duration(to: Instant(microseconds: 0)) == .seconds(-1))
        #expect(start < start + .microseconds(1))
        #expect(Instant(microseconds: -1).secondsSinceEpoch == -1)
        #expect(Instant(microseconds: -1_000_000).secondsSinceEpoch == -1)
        #expect(Instant(microseconds: 1_999_999).secondsSinceEpoch == 1)
    }

    @Test("arithmetic saturates instead of trapping")
    func ends() {
        let (first, last) = (Instant(microseconds: .min), Instant(microseconds: .max))
        #expect(last + .seconds(1) == last)
        #expect(last - .seconds(-1) == last)
        #expect(first - .seconds(1) == first)
        #expect(first + .seconds(-1) == first)
        #expect(Instant.now() + .seconds(Int64.max) == last)
        #expect(Instant.now() - .seconds(Int64.max) < .earliestText)
        #expect(Instant(secondsSinceEpoch: .max) == last)
        #expect(Instant(secondsSinceEpoch: .min) == first)
        #expect(first.duration(to: last) == .microseconds(Int64.max))
        #expect(last.duration(to: first) == .microseconds(Int64.min))
    }

    @Test("now() agrees with itself and lies after this was written")
    func now() {
        let first = Instant.now()
        #expect(first.rfc3339 > "2025-01-01T00:00:00Z")
        #expect(first <= Instant.now())
    }
}
