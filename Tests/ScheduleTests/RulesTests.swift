import Domain
import Environment
import Protobuf
import Schema
import Testing

@testable import Schedule

struct RulesTests {
    @Test(
        "course codes look like PIANO-101",
        arguments: [
            ("PIANO-101", true), ("A", true), ("VOCAL-B-2", true), ("", false),
            ("piano-101", false), ("PIANO--101", false), ("-PIANO", false), ("PIANO-", false),
            ("101-PIANO", false), ("PIANO 101", false), ("PIÁNO", false),
            (String(repeating: "A", count: 32), true), (String(repeating: "A", count: 33), false),
        ])
    func codes(code: String, isCode: Bool) {
        #expect(CourseRules.isCode(code) == isCode)
    }

    @Test("no UUID is taken for a code")
    func keys() throws {
        let id = UUID.random()
        #expect(try CourseKey(id.description) == .id(id))
        #expect(try CourseKey("PIANO-101") == .code("PIANO-101"))
        #expect(throws: DomainError.self) { try CourseKey("no such") }
    }

    @Test(
        "time zones have the shape of IANA's names",
        arguments: [
            ("Asia/Jakarta", true), ("UTC", true), ("America/Argentina/Buenos_Aires", true),
            ("Etc/GMT+7", true), ("", false), ("WIB", false), ("+07", false), ("Asia/", false),
            ("Asia/'; drop", false),
        ])
    func zones(zone: String, isZone: Bool) {
        #expect(CourseRules.isTimeZone(zone) == isZone)
    }

    @Test("a course's violations are told all at once")
    func course() throws {
        var request = ScheduleV1.CreateCourseRequest()
        request.id = "x"
        request.code = "piano"
        request.maxStudents = 0
        request.timeZone = "nowhere"
        let error = try #require(throws: DomainError.self) {
            try CourseRules.course(request, defaultTimeZone: "Asia/Jakarta")
        }
        #expect(
            error.violations.map(\.field) == ["id", "code", "title", "max_students", "time_zone"])
    }

    @Test("a course that names no zone and no policy gets the defaults")
    func defaults() throws {
        var request = ScheduleV1.CreateCourseRequest()
        request.code = "PIANO-101"
        request.title = "Piano"
        request.maxStudents = 1
        let course = try CourseRules.course(request, defaultTimeZone: "Asia/Makassar")
        #expect(course.timeZone == "Asia/Makassar")
        #expect(course.claimAt == .assign)
    }

    @Test(
        "class schedules: times in order, seats, ids",
        arguments: [
            ("", "ok"), ("end", "schedules[0].end_time"), ("long", "schedules[0].end_time"),
            ("start", "schedules[0].start_time"), ("seats", "schedules[0].capacity"),
            ("id", "schedules[0].id"), ("room", "schedules[0].room_id"),
            ("twice", "schedules[1].id"), ("none", "schedules"), ("many", "schedules"),
            ("price", "schedules[0].price"),
        ])
    func schedules(broken: String, field: String) throws {
        var schedule = ScheduleV1.NewClassSchedule()
        schedule.id = UUID.random().description
        schedule.instructorId = UUID.random().description
        schedule.roomId = UUID.random().description
        let start = Instant(microseconds: 1_764_633_600_000_000)
        schedule.startTime = GoogleProtobuf.Timestamp(start)
        schedule.endTime = GoogleProtobuf.Timestamp(start + .seconds(3600))
        switch broken {
        case "end": schedule.endTime = schedule.startTime
        case "long": schedule.endTime = GoogleProtobuf.Timestamp(start + .seconds(90_000))
        case "start": schedule.startTime = nil
        case "seats": schedule.capacity = -1
        case "id": schedule.id = "x"
        case "room": schedule.roomId = ""
        case "price": schedule.price = Money.priceLimit + 1
        default: break
        }
        var request = ScheduleV1.CreateClassSchedulesRequest()
        request.courseId = "PIANO-101"
        request.schedules = [schedule]
        if broken == "none" { request.schedules = [] }
        if broken == "twice" { request.schedules = [schedule, schedule] }
        if broken == "many" {
            schedule.id = nil
            request.schedules = Array(repeating: schedule, count: 1001)
        }
        if field == "ok" {
            #expect(try NewClassSchedules(request).entries.count == 1)
            return
        }
        let error = try #require(throws: DomainError.self) { try NewClassSchedules(request) }
        #expect(error.code == .validationFailed)
        #expect(error.violations.map(\.field) == [field])
    }

    @Test("courses and series cost at most the limit; a series ends with the last year there is")
    func limits() throws {
        var request = ScheduleV1.CreateCourseRequest()
        (request.code, request.title, request.maxStudents) = ("PIANO-101", "Piano", 1)
        request.price = Money.priceLimit
        _ = try CourseRules.course(request, defaultTimeZone: "UTC")
        request.price += 1
        let error = try #require(throws: DomainError.self) {
            try CourseRules.course(request, defaultTimeZone: "UTC")
        }
        #expect(error.violations == [.init("price", "is more than 1000000000000")])
        var series = ScheduleV1.GenerateSeriesRequest()
        var rule = ScheduleV1.WeeklyRule()
        (rule.days, rule.times, rule.minutes) = (["monday"], ["10:00"], 60)
        series.rules = [rule]
        series.resourceIds = [UUID.random().description]
        (series.fromDate, series.count) = ("9999-12-20", 1000)
        let last = try SeriesOrder(series).series.until
        #expect(last.description == "9999-12-31")
        series.price = .max
        let dear = try #require(throws: DomainError.self) { try SeriesOrder(series) }
        #expect(dear.violations.map(\.field) == ["price"])
    }

    @Test("a search is words, and a bounded number of them")
    func words() throws {
        #expect(try ScheduleService.words("  piano  Dasar ") == ["piano", "Dasar"])
        #expect(try ScheduleService.words("").isEmpty)
        #expect(throws: DomainError.self) {
            try ScheduleService.words(String(repeating: "a ", count: 21))
        }
    }
}
