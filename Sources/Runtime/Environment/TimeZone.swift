/// The wall clocks of a place, from a compiled file of the IANA database (RFC 8536).
///
/// ```swift
/// let berlin = try TimeZoneDatabase.system.zone("Europe/Berlin")
/// berlin.wallClock(date, secondOfDay: 9 * 3600).instant   // 09:00 there, in summer and winter
/// ```
public struct TimeZone: Sendable, Hashable {
    /// What a wall clock's reading stands for.
    public enum Reading: Sendable, Hashable {
        case once(Instant)
        /// The clock shows it twice: before and after it was put back.
        case twice(Instant, Instant)
        /// The clock was put forward past it. Both are what it would have been: by the offset
        /// before the gap (later than the gap on the clock), and by the offset after it.
        case never(after: Instant, before: Instant)

        /// The one time to choose: the first of two; in a gap the time that is as far behind the
        /// gap's end as the reading is behind its beginning.
        public var instant: Instant {
            switch self {
            case .once(let instant): instant
            case .twice(let first, _): first
            case .never(let after, _): after
            }
        }
    }

    /// IANA name.
    public let name: String
    /// When the offset changes, seconds since 1970, ascending.
    private let transitions: [Int64]
    /// Seconds east of UTC from the transition of the same place on.
    private let offsets: [Int]
    /// Before the first transition.
    private let firstOffset: Int
    /// After the last transition.
    private let rule: TimeZoneRule?

    init(
        name: String, transitions: [Int64], offsets: [Int], firstOffset: Int, rule: TimeZoneRule?
    ) {
        self.name = name
        self.transitions = transitions
        self.offsets = offsets
        self.firstOffset = firstOffset
        self.rule = rule
    }

    /// Seconds east of UTC.
    public func offset(at instant: Instant) -> Int {
        offset(atSeconds: Self.seconds(instant))
    }

    /// The day and the second of the day that clocks show.
    public func local(_ instant: Instant) -> (date: LocalDate, secondOfDay: Int) {
        let seconds = Self.seconds(instant)
        let local = Int(seconds) + offset(atSeconds: seconds)
        let days = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
        return (LocalDate(daysSinceEpoch: days), local - days * 86_400)
    }

    /// When clocks show the second of the day (0…86,399) on a day.
    public func wallClock(_ date: LocalDate, secondOfDay: Int) -> Reading {
        let local = Int64(date.daysSinceEpoch) * 86_400 + Int64(secondOfDay)
        let candidates = offsets(around: local)
        let hits = Set(candidates.map { local - Int64($0) })
            .filter { $0 + Int64(offset(atSeconds: $0)) == local }.sorted()
        if hits.count == 1 { return .once(Self.instant(hits[0])) }
        if let first = hits.first, let last = hits.last {
            return .twice(Self.instant(first), Self.instant(last))
        }
        // In a gap the offset before it is the smaller one: its reading lies after the gap.
        let low = candidates.min() ?? firstOffset
        let high = candidates.max() ?? firstOffset
        return .never(
            after: Self.instant(local - Int64(low)), before: Self.instant(local - Int64(high)))
    }

    // MARK: Pieces

    /// The longest way from a local time to UTC, and the longest jump (Pacific/Apia 2011).
    private static let reach: Int64 = 26 * 3600

    /// Every offset that is in force near a local time.
    private func offsets(around local: Int64) -> Set<Int> {
        var found: Set<Int> = [
            offset(atSeconds: local - Self.reach), offset(atSeconds: local + Self.reach),
        ]
        var index = Self.count(transitions, upTo: local - Self.reach)
        while index < transitions.count, transitions[index] <= local + Self.reach {
            found.insert(offsets[index])
            index += 1
        }
        if let rule { found.formUnion(rule.offsets) }
        return found.filter { candidate in
            // A rule's offsets may not be in force at all that day.
            let at = local - Int64(candidate)
            let window = [at - Self.reach, at - 1, at, at + Self.reach]
            return window.contains { offset(atSeconds: $0) == candidate }
        }
    }

    private func offset(atSeconds seconds: Int64) -> Int {
        let index = Self.count(transitions, upTo: seconds)
        if index == transitions.count, let rule { return rule.offset(at: seconds) }
        return index == 0 ? firstOffset : offsets[index - 1]
    }

    /// How many of the ascending values are not above the limit.
    private static func count(_ values: [Int64], upTo limit: Int64) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] <= limit { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func seconds(_ instant: Instant) -> Int64 {
        let (whole, rest) = instant.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return rest < 0 ? whole - 1 : whole
    }

    private static func instant(_ seconds: Int64) -> Instant {
        Instant(microseconds: seconds * 1_000_000)
    }
}
