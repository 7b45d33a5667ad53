import Environment
import Testing

@Suite struct LocalDateTests {
    @Test(
        "text becomes a day and the same text again",
        arguments: [
            ("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("2000-03-01", 11_017),
            ("2025-12-02", 20_424), ("0001-01-01", -719_162), ("9999-12-31", 2_932_896),
            ("1900-02-28", -25_509), ("1900-03-01", -25_508),
        ])
    func parses(text: String, days: Int) throws {
        let date = try #require(LocalDate(text))
        #expect(date.daysSinceEpoch == days)
        #expect(LocalDate(daysSinceEpoch: days) == date)
        #expect(date.description == text)
    }

    @Test(
        "days that do not exist and other formats are refused",
        arguments: [
            "", "2025-02-29", "1900-02-29", "2025-04-31", "2025-06-31", "2025-09-31",
            "2025-11-31", "2025-13-01", "2025-00-01", "2025-01-00", "2025-01-32", "0000-01-01",
            "2025-1-1", "25-01-01", "2025/01/01", "20250101", "2025-01-01T", "2025-01-01 ",
            "-2025-01-01", "02-12-2025", "2025-01-0x",
        ])
    func refuses(text: String) {
        #expect(LocalDate(text) == nil)
    }

    @Test("every day of 800 years follows the one before")
    func civilCalendar() throws {
        var expected = try #require(LocalDate("1600-01-01"))
        var days = expected.daysSinceEpoch
        while expected.year < 2400 {
            #expect(LocalDate(daysSinceEpoch: days) == expected)
            let next =
                LocalDate(year: expected.year, month: expected.month, day: expected.day + 1)
                ?? LocalDate(year: expected.year, month: expected.month + 1, day: 1)
                ?? LocalDate(year: expected.year + 1, month: 1, day: 1)
            expected = try #require(next)
            days += 1
        }
    }

    @Test(
        "ISO weekdays, Monday is 1",
        arguments: [
            ("1970-01-01", 4), ("1969-12-31", 3), ("1969-12-28", 7), ("2025-12-01", 1),
            ("2025-12-07", 7), ("0001-01-01", 1),
        ])
    func weekday(text: String, weekday: Int) throws {
        #expect(try #require(LocalDate(text)).weekday == weekday)
    }

    @Test func orderAndArithmetic() throws {
        let date = try #require(LocalDate("2024-02-28"))
        #expect(date.adding(days: 2).description == "2024-03-01")
        #expect(date.adding(days: -59).description == "2023-12-31")
        #expect(date < date.adding(days: 1))
        #expect(Instant(startOf: date).rfc3339 == "2024-02-28T00:00:00Z")
        #expect((Instant(startOf: date) - .microseconds(1)).date == date.adding(days: -1))
        #expect(Instant(microseconds: -1).date.description == "1969-12-31")
    }
}
