import Domain
import Environment
import Protobuf
import Schema

/// A request for a series that looks right by itself.
struct SeriesOrder: Sendable {
    let id: UUID
    let series: Series
    let staff: Staff
    let capacity: Int?
    let price: Int64?
    let skipsConflicts: Bool
    let isDryRun: Bool

    static let ruleLimit = 20
    static let timeLimit = 48
    static let dayLimit = 1000
    private static let days = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ]

    /// - Parameter newID: of a series without one.
    /// - Throws: VALIDATION_FAILED with every violation.
    init(
        _ request: ScheduleV1.GenerateSeriesRequest, otherwise newID: UUID = .timeOrdered()
    ) throws(DomainError) {
        var rules = FieldRules()
        let id = rules.optionalUUID(request.id, "id")
        if !(1...Self.ruleLimit).contains(request.rules.count) {
            rules.refuse("rules", "holds not between 1 and \(Self.ruleLimit)")
        }
        let weekly = request.rules.prefix(Self.ruleLimit).enumerated().map {
            Self.rule($1, "rules[\($0)]", &rules)
        }
        let from = rules.date(request.fromDate, "from_date")
        let until =
            request.untilDate.isEmpty
            ? from.map { min($0.adding(days: Series.longestDays), Instant.latestText.date) }
            : rules.date(request.untilDate, "until_date")
        if request.untilDate.isEmpty, request.count == 0 {
            rules.refuse("until_date", "is required, or count")
        }
        if let from, let until {
            if until < from { rules.refuse("until_date", "is before from_date") }
            if until > from.adding(days: Series.longestDays) {
                rules.refuse(
                    "until_date", "is more than \(Series.longestDays) days after from_date")
            }
        }
        if !(0...Int32(Series.limit)).contains(request.count) {
            rules.refuse("count", "is not between 0 and \(Series.limit)")
        }
        let exceptions = Self.dates(request.exceptions, "exceptions", &rules)
        let holidays = Self.dates(request.holidays, "holidays", &rules)
        staff = Staff(
            instructor: request.instructorId, room: request.roomId,
            resources: request.resourceIds, "", &rules)
        if request.capacity != 0 {
            CourseRules.checkSeats(request.capacity, "capacity", &rules)
        }
        rules.price(request.price, "price")
        guard rules.areKept, let from, let until else { throw rules.refusal }
        self.id = id ?? newID
        series = Series(
            rules: weekly, from: from, until: until,
            count: request.count == 0 ? nil : Int(request.count), exceptions: exceptions,
            holidays: holidays)
        capacity = request.capacity == 0 ? nil : Int(request.capacity)
        price = request.price
        skipsConflicts = request.skipConflicts
        isDryRun = request.dryRun
    }

    /// - Throws: VALIDATION_FAILED when the series is too long, or empty.
    func plan(in zone: TimeZone) throws(DomainError) -> Series.Plan {
        let plan = series.plan(in: zone)
        var rules = FieldRules()
        if plan.isTooLong { rules.refuse("rules", "ask for more than \(Series.limit) classes") }
        if plan.occurrences.isEmpty { rules.refuse("rules", "ask for no class") }
        try rules.check()
        return plan
    }

    /// Their ids follow from the series and the start, so that a repetition finds them.
    func schedules(_ plan: Series.Plan, of course: Course) -> [ClassSchedule] {
        plan.occurrences.map { occurrence in
            ClassSchedule(
                id: .named("janji series \(id) \(occurrence.startsAt.rfc3339)"),
                courseID: course.id, instructorID: staff.instructor, roomID: staff.room,
                resourceIDs: staff.resources, startsAt: occurrence.startsAt,
                endsAt: occurrence.endsAt, capacity: capacity ?? course.maxStudents,
                price: price, seriesID: id)
        }
    }

    /// The answer when nothing is left out.
    func response(
        _ plan: Series.Plan, _ wanted: [ClassSchedule], _ zone: TimeZone
    ) -> ScheduleV1.GenerateSeriesResponse {
        var response = ScheduleV1.GenerateSeriesResponse()
        response.seriesId = id.description
        response.timeZone = zone.name
        response.schedules = wanted.map { ScheduleV1.ClassSchedule($0) }
        response.skipped = plan.omissions.map {
            Self.skipped($0.date, $0.secondOfDay, ScheduleV1.SkipReason($0.reason))
        }
        return response
    }

    /// Takes out of the answer what is in conflict.
    func leaveOut(
        _ skipped: Publication.Skipped, of response: inout ScheduleV1.GenerateSeriesResponse,
        _ plan: Series.Plan, _ wanted: [ClassSchedule]
    ) {
        response.schedules.removeAll { UUID($0.id).map(skipped.ids.contains) ?? false }
        response.conflicts = skipped.conflicts
        response.skipped += zip(plan.occurrences, wanted).filter { skipped.ids.contains($1.id) }
            .map { Self.skipped($0.0.date, $0.0.secondOfDay, .conflict) }
        response.skipped.sort { ($0.date, $0.time) < ($1.date, $1.time) }
    }

    private static func skipped(
        _ date: LocalDate, _ second: Int, _ reason: ScheduleV1.SkipReason
    ) -> ScheduleV1.SkippedClass {
        var skipped = ScheduleV1.SkippedClass()
        skipped.date = date.description
        skipped.time = text(second)
        skipped.reason = reason
        return skipped
    }

    private static func rule(
        _ rule: ScheduleV1.WeeklyRule, _ path: String, _ rules: inout FieldRules
    ) -> Series.Rule {
        let numbers = rule.days.compactMap { day in
            days.firstIndex(of: day).map { $0 + 1 }
        }
        if rule.days.isEmpty || numbers.count < rule.days.count || rule.days.count > 7 {
            rules.refuse("\(path).days", "are not names like monday")
        }
        let times = rule.times.prefix(timeLimit).compactMap { second($0) }
        if rule.times.isEmpty || times.count < rule.times.count {
            rules.refuse("\(path).times", "are not at most \(timeLimit) of the form HH:MM")
        }
        if !(1...1440).contains(rule.minutes) {
            rules.refuse("\(path).minutes", "is not between 1 and 1440")
        }
        return Series.Rule(days: Set(numbers), times: times, minutes: Int(rule.minutes))
    }

    private static func dates(
        _ texts: [String], _ field: String, _ rules: inout FieldRules
    ) -> Set<LocalDate> {
        if texts.count > dayLimit { rules.refuse(field, "holds more than \(dayLimit)") }
        return Set(
            texts.prefix(dayLimit).enumerated().compactMap { rules.date($1, "\(field)[\($0)]") })
    }

    /// The second of the day of `HH:MM`.
    private static func second(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":"),
            [0, 1, 3, 4].allSatisfy({ (0x30...0x39).contains(bytes[$0]) })
        else { return nil }
        let digits = bytes.map { Int($0) - 0x30 }
        let (hours, minutes) = (digits[0] * 10 + digits[1], digits[3] * 10 + digits[4])
        return hours < 24 && minutes < 60 ? hours * 3600 + minutes * 60 : nil
    }

    private static func text(_ second: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(second / 3600)):\(two(second / 60 % 60))"
    }
}

extension ScheduleV1.SkipReason {
    fileprivate init(_ reason: Series.Reason) {
        self =
            switch reason {
            case .exception: .exception
            case .holiday: .holiday
            case .noSuchDay: .noSuchDay
            case .sameTime: .sameTime
            }
    }
}
