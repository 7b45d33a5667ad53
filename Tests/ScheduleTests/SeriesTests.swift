import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import TestKit
import Testing

@testable import Schedule

/// The pure expansion, over zones with every kind of change.
struct SeriesTests {
    static let zones = [
        "Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
        "Africa/Casablanca", "Pacific/Apia",
    ]

    private static func date(_ text: String) -> LocalDate {
        LocalDate(text) ?? LocalDate(daysSinceEpoch: 0)
    }

    private static func zone(_ name: String) throws -> TimeZone {
        try #require(TimeZoneDatabase.system.zone(name))
    }

    private static func daily(_ from: String, _ until: String, _ times: [Int]) -> Series {
        Series(
            rules: [.init(days: Set(1...7), times: times, minutes: 45)], from: date(from),
            until: date(until))
    }

    @Test(
        "DST: a class is at its hour on the wall, every day of the years 2010 to 2013 and 2025",
        arguments: zones)
    func wallClock(name: String) throws {
        let zone = try Self.zone(name)
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix(seed: seed)
        for year in [2010, 2011, 2012, 2013, 2025] {
            let times = Set((0..<6).map { _ in Int.random(in: 0..<288, using: &random) * 300 })
            var series = Self.daily("\(year)-01-01", "\(year)-12-31", times.sorted())
            series.count = 1000
            series.until = series.from.adding(days: 160)
            for half in 0..<2 {
                series.from = series.from.adding(days: half * 160)
                series.until = series.until.adding(days: half * 160)
                let plan = series.plan(in: zone)
                #expect(
                    plan.occurrences.count + plan.omissions.count == 161 * times.count,
                    "seed \(seed)")
                #expect(
                    zip(plan.occurrences, plan.occurrences.dropFirst())
                        .allSatisfy { $0.startsAt < $1.startsAt || $0.date == $1.date })
                #expect(
                    Set(plan.occurrences.map(\.startsAt)).count == plan.occurrences.count,
                    "seed \(seed)")
                for one in plan.occurrences {
                    let shown = zone.local(one.startsAt)
                    #expect(one.startsAt.duration(to: one.endsAt) == .seconds(2700))
                    if shown.secondOfDay == one.secondOfDay {
                        #expect(shown.date == one.date, "seed \(seed)")
                        // Of two the first: an hour (or half of it) before, the clock said another.
                        let earlier = zone.wallClock(one.date, secondOfDay: one.secondOfDay)
                        #expect(earlier.instant == one.startsAt, "seed \(seed)")
                    } else {
                        // In a gap it is as much later as the clocks are put forward.
                        let before = one.startsAt - .seconds(4 * 3600)
                        let jump = zone.offset(at: one.startsAt) - zone.offset(at: before)
                        #expect(jump > 0, "seed \(seed)")
                        #expect(shown.secondOfDay == one.secondOfDay + jump, "seed \(seed)")
                    }
                }
            }
        }
    }

    @Test("a lesson at 02:30 in Berlin: later on the day of the gap, once on the day of two")
    func berlin() throws {
        let zone = try Self.zone("Europe/Berlin")
        let spring = Self.daily("2026-03-28", "2026-03-30", [9000]).plan(in: zone)
        #expect(
            spring.occurrences.map(\.startsAt.rfc3339) == [
                "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z",
            ])
        let autumn = Self.daily("2026-10-24", "2026-10-26", [9000]).plan(in: zone)
        #expect(
            autumn.occurrences.map(\.startsAt.rfc3339) == [
                "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z",
            ])
        // 02:30 becomes 03:30, which is there already.
        let both = Self.daily("2026-03-29", "2026-03-29", [9000, 12_600]).plan(in: zone)
        #expect(both.occurrences.count == 1)
        #expect(both.omissions.map(\.reason) == [.sameTime])
    }

    @Test("Apia had no 30 December 2011, and no class on it")
    func apia() throws {
        let plan = Self.daily("2011-12-29", "2011-12-31", [36_000]).plan(
            in: try Self.zone("Pacific/Apia"))
        #expect(plan.occurrences.map(\.date.description) == ["2011-12-29", "2011-12-31"])
        #expect(
            plan.occurrences[0].startsAt.duration(to: plan.occurrences[1].startsAt)
                == .seconds(86_400))
        #expect(plan.omissions.map(\.reason) == [.noSuchDay])
    }

    @Test("days, exceptions, holidays and count")
    func rules() throws {
        let zone = try Self.zone("Asia/Jakarta")
        var series = Series(
            rules: [
                .init(days: [1, 3], times: [36_000], minutes: 60),
                .init(days: [6], times: [32_400, 39_600], minutes: 30),
            ], from: Self.date("2026-06-01"), until: Self.date("2026-06-30"))
        series.exceptions = [Self.date("2026-06-03")]
        series.holidays = [Self.date("2026-06-01"), Self.date("2026-06-02")]
        series.count = 4
        let plan = series.plan(in: zone)
        #expect(
            plan.occurrences.map { "\($0.date) \($0.startsAt.rfc3339)" } == [
                "2026-06-06 2026-06-06T02:00:00Z", "2026-06-06 2026-06-06T04:00:00Z",
                "2026-06-08 2026-06-08T03:00:00Z", "2026-06-10 2026-06-10T03:00:00Z",
            ])
        #expect(plan.omissions.map(\.reason) == [.holiday, .exception])
        series.count = nil
        series.rules = [.init(days: Set(1...7), times: (0..<48).map { $0 * 1800 }, minutes: 30)]
        #expect(series.plan(in: zone).isTooLong)
    }

    private func request(
        _ staff: (instructor: String, room: String)
    ) -> ScheduleV1.GenerateSeriesRequest {
        var request = ScheduleV1.GenerateSeriesRequest()
        request.id = UUID.random().description
        request.courseId = "PIANO-101"
        var rule = ScheduleV1.WeeklyRule()
        (rule.days, rule.times, rule.minutes) = (["tuesday", "friday"], ["10:00"], 45)
        request.rules = [rule]
        request.fromDate = "2026-03-24"
        request.untilDate = "2026-04-05"
        request.instructorId = staff.instructor
        request.roomId = staff.room
        return request
    }

    @Test("a course in a location has its zone; the series goes by its clocks, again and again")
    func generate() async throws {
        let fixture = try await Fixture("series_generate")
        let course = try await fixture.client.createCourse(
            fixture.course { $0.locationId = FakeCatalogue.location.description })
        #expect(course.course?.timeZone == "Europe/Berlin")
        let request = request(try await fixture.staff())
        let made = try await fixture.client.generateSeries(request)
        #expect(made.timeZone == "Europe/Berlin")
        #expect(
            made.schedules.compactMap { $0.startTime.map { Instant($0).rfc3339 } } == [
                "2026-03-24T09:00:00Z", "2026-03-27T09:00:00Z", "2026-03-31T08:00:00Z",
                "2026-04-03T08:00:00Z",
            ])
        #expect(made.schedules.allSatisfy { $0.seriesId == request.id && $0.capacity == 4 })
        #expect(try await fixture.list("PIANO-101") == made.schedules)
        #expect(try await fixture.client.generateSeries(request) == made)
        #expect(try await fixture.list("PIANO-101") == made.schedules)
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 4)
    }

    @Test("LibreBooking #1220: conflicts are left out and told; a rehearsal changes nothing")
    func skips() async throws {
        let fixture = try await Fixture("series_skips")
        _ = try await fixture.client.createCourse(
            fixture.course { $0.locationId = FakeCatalogue.location.description })
        var request = request(try await fixture.staff())
        let busy = try #require(Instant(rfc3339: "2026-03-31T08:00:00Z"))
        fixture.inventory.state.withLock { $0.busy = [busy] }
        request.skipConflicts = true
        request.exceptions = ["2026-03-24"]
        request.dryRun = true
        let rehearsal = try await fixture.client.generateSeries(request)
        #expect(try await fixture.list("PIANO-101").isEmpty)
        #expect(fixture.inventory.state.withLock { $0.slots.isEmpty })
        #expect(try await fixture.count("select count(*) from class_schedules") == 0)
        request.dryRun = false
        let made = try await fixture.client.generateSeries(request)
        #expect(made == rehearsal)
        #expect(made.schedules.count == 2)
        #expect(
            made.skipped.map { "\($0.date) \($0.time)" } == [
                "2026-03-24 10:00", "2026-03-31 10:00",
            ])
        #expect(made.skipped.map(\.reason) == [.exception, .conflict])
        #expect(try await fixture.list("PIANO-101") == made.schedules)
        // What was in the way is gone: the same request fills the hole.
        fixture.inventory.state.withLock { $0.busy = [] }
        #expect(try await fixture.client.generateSeries(request).schedules.count == 3)
        #expect(try await fixture.count("select count(*) from outbox") == 3)
    }

    @Test("an interrupted series is ended by the publisher, with what it may leave out")
    func healed() async throws {
        let fixture = try await Fixture("series_healed")
        _ = try await fixture.client.createCourse(
            fixture.course { $0.locationId = FakeCatalogue.location.description })
        var request = request(try await fixture.staff())
        request.skipConflicts = true
        fixture.inventory.fail(with: RPCError(.unavailable, "away"))
        let error = await refusal { _ = try await fixture.client.generateSeries(request) }
        #expect(error.code == .unavailable)
        fixture.inventory.fail(with: nil)
        let busy = try #require(Instant(rfc3339: "2026-03-31T08:00:00Z"))
        fixture.inventory.state.withLock { $0.busy = [busy] }
        try await fixture.publisher.publishRest()
        #expect(try await fixture.list("PIANO-101").count == 3)
        #expect(try await fixture.count("select count(*) from class_schedules") == 3)
    }

    @Test("what cannot be meant is refused by name")
    func refused() async throws {
        let fixture = try await Fixture("series_refused")
        var request = ScheduleV1.GenerateSeriesRequest()
        request.courseId = "PIANO-101"
        request.fromDate = "2026-02-30"
        request.count = 1001
        var rule = ScheduleV1.WeeklyRule()
        (rule.days, rule.times) = (["Monday"], ["24:00"])
        request.rules = [rule]
        let error = await refusal { _ = try await fixture.client.generateSeries(request) }
        let bad = try GoogleRpc.BadRequest(
            decoding: try #require(
                error.details.first { $0.typeURL.hasSuffix("google.rpc.BadRequest") }
            ).value)
        #expect(
            bad.fieldViolations.map(\.field) == [
                "rules[0].days", "rules[0].times", "rules[0].minutes", "from_date", "count",
                "instructor_id", "room_id",
            ])
    }

    @Test("a course changes its price and place; Inventory refuses first")
    func update() async throws {
        let fixture = try await Fixture("series_update")
        _ = try await fixture.client.createCourse(fixture.course())
        var change = ScheduleV1.UpdateCourseRequest()
        change.courseId = "PIANO-101"
        change.title = "Piano"
        change.maxStudents = 2
        change.policy = "clinic"
        change.price = 150_000
        change.locationId = FakeCatalogue.location.description
        fixture.inventory.fail(with: DomainError(.policyNotFound, "no such policy"))
        #expect(
            await refusal { _ = try await fixture.client.updateCourse(change) }.code == .notFound)
        var get = ScheduleV1.GetCourseRequest()
        get.courseId = "PIANO-101"
        #expect(try await fixture.client.getCourse(get).course?.price == 0)
        fixture.inventory.fail(with: nil)
        let changed = try await fixture.client.updateCourse(change).course
        #expect(try await fixture.client.getCourse(get).course == changed)
        #expect(changed?.timeZone == "Europe/Berlin")
        let offering = fixture.inventory.state.withLock { $0.offerings.values.first }
        #expect(offering?.price == 150_000)
        #expect(offering?.policy == "clinic")
        change.locationId = UUID.random().description
        let error = await refusal { _ = try await fixture.client.updateCourse(change) }
        #expect(error.code == .notFound)
    }
}
