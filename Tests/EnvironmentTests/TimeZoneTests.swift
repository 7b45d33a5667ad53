import Environment
import Glibc
import Testing

/// Wall clocks against the C library, which reads the same files.
struct TimeZoneTests {
    static let zones = [
        "Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
        "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu", "UTC",
        "Europe/Dublin", "Antarctica/Troll", "America/Scoresbysund", "Asia/Gaza",
    ]

    private func zone(_ name: String) throws -> TimeZone {
        try #require(TimeZoneDatabase.system.zone(name))
    }

    private static func date(_ year: Int, _ month: Int, _ day: Int) -> LocalDate {
        LocalDate(year: year, month: month, day: day) ?? LocalDate(daysSinceEpoch: 0)
    }

    private func instant(_ text: String) throws -> Instant { try #require(Instant(rfc3339: text)) }

    @Test("offsets are those of the C library, 1900 to 2200", arguments: zones)
    func oracle(name: String) throws {
        let zone = try zone(name)
        try Oracle.withZone(name) { offset in
            var random = SystemRandomNumberGenerator()
            for _ in 0..<20_000 {
                let seconds = Int64.random(in: -2_208_988_800...7_258_118_400, using: &random)
                let ours = zone.offset(at: Instant(microseconds: seconds * 1_000_000))
                #expect(ours == offset(seconds), "\(name) at \(seconds)")
                if ours != offset(seconds) { return }
            }
        }
    }

    @Test(
        "every reading of every half hour of 12 years is once, twice or never, and says why",
        arguments: zones)
    func readings(name: String) throws {
        let zone = try zone(name)
        let first = Self.date(2007, 1, 1).daysSinceEpoch
        for day in 0..<(12 * 365) {
            let date = LocalDate(daysSinceEpoch: first + day)
            for half in 0..<48 {
                let second = half * 1800
                let reading = zone.wallClock(date, secondOfDay: second)
                switch reading {
                case .once(let instant):
                    #expect(zone.local(instant) == (date, second))
                case .twice(let one, let two):
                    #expect(one < two)
                    #expect(zone.local(one) == (date, second))
                    #expect(zone.local(two) == (date, second))
                    #expect(zone.offset(at: one) > zone.offset(at: two), "put back")
                case .never(let after, let before):
                    #expect(before < after)
                    #expect(zone.offset(at: before) < zone.offset(at: after), "put forward")
                    let shown = zone.local(after)
                    #expect((shown.date, shown.secondOfDay) > (date, second))
                }
            }
        }
    }

    @Test("Berlin: 02:30 does not exist in March and exists twice in October")
    func berlin() throws {
        let berlin = try zone("Europe/Berlin")
        let gap = berlin.wallClock(Self.date(2026, 3, 29), secondOfDay: 9000)
        #expect(
            gap
                == .never(
                    after: try instant("2026-03-29T01:30:00Z"),
                    before: try instant("2026-03-29T00:30:00Z")))
        #expect(berlin.local(gap.instant).secondOfDay == 3 * 3600 + 1800)
        let fold = berlin.wallClock(Self.date(2026, 10, 25), secondOfDay: 9000)
        #expect(
            fold
                == .twice(
                    try instant("2026-10-25T00:30:00Z"), try instant("2026-10-25T01:30:00Z")))
        // The rule of the footer, long after the table.
        let late = berlin.wallClock(Self.date(2199, 7, 1), secondOfDay: 36_000)
        #expect(late == .once(try instant("2199-07-01T08:00:00Z")))
    }

    @Test("Lord Howe moves its clocks by half an hour")
    func lordHowe() throws {
        let zone = try zone("Australia/Lord_Howe")
        let gap = zone.wallClock(Self.date(2026, 10, 4), secondOfDay: 2 * 3600 + 900)
        guard case .never(let after, _) = gap else {
            Issue.record("02:15 is skipped there")
            return
        }
        #expect(zone.local(after).secondOfDay == 2 * 3600 + 2700)
        let fold = zone.wallClock(Self.date(2026, 4, 5), secondOfDay: 3600 + 2700)
        guard case .twice(let one, let two) = fold else {
            Issue.record("01:45 is shown twice there")
            return
        }
        #expect(one.duration(to: two) == .seconds(1800))
    }

    @Test("Apia had no 30 December 2011")
    func apia() throws {
        let zone = try zone("Pacific/Apia")
        for hour in 0..<24 {
            guard
                case .never(let after, _) = zone.wallClock(
                    Self.date(2011, 12, 30), secondOfDay: hour * 3600)
            else {
                Issue.record("\(hour):00 was never shown")
                continue
            }
            #expect(zone.local(after) == (Self.date(2011, 12, 31), hour * 3600))
        }
        #expect(
            zone.wallClock(Self.date(2011, 12, 29), secondOfDay: 0)
                == .once(try instant("2011-12-29T10:00:00Z")))
    }

    @Test(
        "what is no zone is none",
        arguments: [
            "", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe", "zone.tab",
            "Europe//Berlin", "Europe/Berlin/", "Europe\u{0}", "tzdata.zi", "leapseconds",
            String(repeating: "A", count: 100),
        ])
    func unknown(name: String) {
        #expect(TimeZoneDatabase.system.zone(name) == nil)
    }

    @Test("damaged files are refused, never a crash")
    func damaged() throws {
        var template = Array("/tmp/janji-zones-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            unlink("\(folder)/Zone")
            rmdir(folder)
        }
        let whole = try Self.contents("/usr/share/zoneinfo/Europe/Berlin")
        func accepts(_ bytes: [UInt8]) throws -> Bool {
            let file = try #require(fopen("\(folder)/Zone", "w"))
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
            return TimeZoneDatabase(folder: folder).zone("Zone") != nil
        }
        #expect(try accepts(whole))
        for length in stride(from: 0, to: whole.count, by: 7) {
            #expect(try !accepts(Array(whole[..<length])), "cut at \(length)")
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255)
            }
            if try accepts(bytes) {
                let zone = try #require(TimeZoneDatabase(folder: folder).zone("Zone"))
                _ = zone.wallClock(Self.date(2030, 3, 31), secondOfDay: 9000)
            }
        }
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }
}

/// `localtime_r` under another TZ; the variable belongs to the whole process, so one at a time.
private enum Oracle {
    private static let lock = ProcessLock()

    static func withZone(_ name: String, _ body: ((Int64) -> Int) throws -> Void) throws {
        lock.lock()
        defer { lock.unlock() }
        setenv("TZ", name, 1)
        tzset()
        defer {
            unsetenv("TZ")
            tzset()
        }
        try body { seconds in
            var time = time_t(seconds)
            var parts = tm()
            localtime_r(&time, &parts)
            return parts.tm_gmtoff
        }
    }

    /// A lock for a plain block of synchronous code.
    final class ProcessLock: @unchecked Sendable {
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

        init() { pthread_mutex_init(mutex, nil) }
        func lock() { pthread_mutex_lock(mutex) }
        func unlock() { pthread_mutex_unlock(mutex) }
    }
}
