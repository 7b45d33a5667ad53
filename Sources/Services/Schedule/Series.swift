import Environment

/// Weekly rules, expanded by the clocks of a zone. A pure value.
struct Series: Sendable {
    /// On these days at these times.
    struct Rule: Sendable, Hashable {
        /// 1 for Monday to 7 for Sunday.
        let days: Set<Int>
        /// Seconds of the day.
        let times: [Int]
        let minutes: Int
    }

    struct Occurrence: Sendable, Hashable {
        let date: LocalDate
        /// What the rule says; the clock may show another time at the start (a gap).
        let secondOfDay: Int
        let startsAt: Instant
        let endsAt: Instant
    }

    enum Reason: Sendable, Hashable {
        case exception, holiday, noSuchDay, sameTime
    }

    struct Omission: Sendable, Hashable {
        let date: LocalDate
        let secondOfDay: Int
        let reason: Reason
    }

    struct Plan: Sendable, Hashable {
        var occurrences: [Occurrence] = []
        var omissions: [Omission] = []
        /// There would be more than ``Series/limit``.
        var isTooLong = false
    }

    static let limit = 1000
    static let longestDays = 732

    var rules: [Rule]
    var from: LocalDate
    /// Inclusive.
    var until: LocalDate
    /// At most so many; what is left out is not counted.
    var count: Int?
    var exceptions: Set<LocalDate> = []
    var holidays: Set<LocalDate> = []

    /// A time in a gap begins as much later as the clocks are put forward, so that its class is as
    /// long as always; a time that comes twice counts the first time. A day that the clocks skip has
    /// no class: shifted by a day it would take the place of the next day's.
    func plan(in zone: TimeZone) -> Plan {
        var plan = Plan()
        var taken: Set<Instant> = []
        var date = from
        while date <= until {
            for (second, minutes) in times(on: date) {
                if let count, plan.occurrences.count == count { return plan }
                if let reason = omission(of: date) {
                    plan.omissions.append(.init(date: date, secondOfDay: second, reason: reason))
                    continue
                }
                let reading = zone.wallClock(date, secondOfDay: second)
                if case .never(let after, let before) = reading,
                    before.duration(to: after) >= .seconds(86_400)
                {
                    plan.omissions.append(
                        .init(date: date, secondOfDay: second, reason: .noSuchDay))
                    continue
                }
                let start = reading.instant
                guard taken.insert(start).inserted else {
                    plan.omissions.append(
                        .init(date: date, secondOfDay: second, reason: .sameTime))
                    continue
                }
                guard plan.occurrences.count < Self.limit else {
                    plan.isTooLong = true
                    return plan
                }
                plan.occurrences.append(
                    Occurrence(
                        date: date, secondOfDay: second, startsAt: start,
                        endsAt: start + .seconds(minutes * 60)))
            }
            date = date.adding(days: 1)
        }
        return plan
    }

    private func omission(of date: LocalDate) -> Reason? {
        if exceptions.contains(date) { return .exception }
        return holidays.contains(date) ? .holiday : nil
    }

    /// Each time once, by the first rule that names it, in order.
    private func times(on date: LocalDate) -> [(second: Int, minutes: Int)] {
        var found: [Int: Int] = [:]
        for rule in rules where rule.days.contains(date.weekday) {
            for time in rule.times where found[time] == nil { found[time] = rule.minutes }
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
