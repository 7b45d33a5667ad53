/// The rules that a history must obey (reliability.md §2.3). Pure: what clients saw and what is in
/// the end come in, sentences about what is wrong go out. An empty answer is a pass.
public enum Checker {
    /// Every acknowledged write is there in the end, and what is there was asked for by somebody
    /// who was not refused.
    public static func durableSet(
        acknowledged: Set<String>, possible: Set<String>, final: Set<String>
    ) -> [String] {
        acknowledged.subtracting(final).sorted().map { "acknowledged and lost: \($0)" }
            + final.subtracting(acknowledged).subtracting(possible).sorted().map {
                "there without anybody's request: \($0)"
            }
    }

    /// Something that occupies a resource for a time.
    public struct Claim: Sendable, Hashable {
        public let id: String
        public let resource: String
        public let start: Int64
        /// Not included.
        public let end: Int64

        public init(_ id: String, _ resource: String, _ start: Int64, _ end: Int64) {
            self.id = id
            self.resource = resource
            self.start = start
            self.end = end
        }
    }

    /// No two claims of one resource overlap. O(n log n).
    public static func exclusion(_ claims: [Claim]) -> [String] {
        var wrong: [String] = []
        for (resource, all) in Dictionary(grouping: claims, by: \.resource) {
            var last: Claim?
            for claim in all.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
                if let before = last, claim.start < before.end {
                    wrong.append("\(claim.id) and \(before.id) both have \(resource)")
                }
                if last.map({ claim.end > $0.end }) ?? true { last = claim }
            }
        }
        return wrong.sorted()
    }

    /// Seats of a slot, in the order in which they were taken (+n) and given back (−n): never below
    /// zero, never above the capacity, and as many in the end as the slot says.
    public static func capacity(
        slot: String, of capacity: Int, changes: [Int], final: Int
    ) -> [String] {
        var taken = 0
        for (index, change) in changes.enumerated() {
            taken += change
            if taken > capacity {
                return ["\(slot): \(taken) of \(capacity) seats at step \(index)"]
            }
            if taken < 0 { return ["\(slot): \(taken) seats at step \(index)"] }
        }
        return taken == final ? [] : ["\(slot): the story ends with \(taken) seats, not \(final)"]
    }

    /// Every effect of a consumer happened once.
    public static func exactlyOnce(
        _ effects: [(consumer: String, event: String)], of events: Set<String>
    ) -> [String] {
        var wrong: [String] = []
        for (consumer, all) in Dictionary(grouping: effects, by: \.consumer) {
            let counts = Dictionary(grouping: all, by: \.event).mapValues(\.count)
            wrong += counts.filter { $0.value > 1 }.map {
                "\(consumer): \($0.key) \($0.value) times"
            }
            wrong += events.subtracting(counts.keys).map { "\(consumer): \($0) never" }
        }
        return wrong.sorted()
    }

    /// The versions of each aggregate are 1, 2, 3 … as they were written or heard.
    public static func versions(_ events: [(aggregate: String, version: Int)]) -> [String] {
        Dictionary(grouping: events, by: \.aggregate).compactMap { aggregate, all in
            let versions = all.map(\.version)
            return versions == Array(1...max(versions.count, 1))
                ? nil : "\(aggregate) has the versions \(versions)"
        }.sorted()
    }

    /// An answer to a use of an idempotency key.
    public struct Answer: Sendable, Hashable {
        public let key: String
        public let body: String
        public let bytes: [UInt8]

        public init(key: String, body: String, bytes: [UInt8]) {
            self.key = key
            self.body = body
            self.bytes = bytes
        }
    }

    /// All good answers to one key are the same byte for byte, and only one body got any.
    public static func idempotency(_ answers: [Answer]) -> [String] {
        Dictionary(grouping: answers, by: \.key).flatMap { key, all in
            var wrong: [String] = []
            if Set(all.map(\.body)).count > 1 { wrong.append("\(key): two bodies were accepted") }
            if Set(all.map(\.bytes)).count > 1 {
                wrong.append("\(key): \(Set(all.map(\.bytes)).count) different answers")
            }
            return wrong
        }.sorted()
    }

    /// A seat that is held until a moment, by the database's clock.
    public struct Holding: Sendable, Hashable {
        public let id: String
        public let slot: String
        public let from: Int64
        /// When it ended: released, turned into a booking that ended, or lapsed.
        public let until: Int64
        /// When it lapses by itself.
        public let expiresAt: Int64

        public init(_ id: String, _ slot: String, from: Int64, until: Int64, expiresAt: Int64) {
            self.id = id
            self.slot = slot
            self.from = from
            self.until = until
            self.expiresAt = expiresAt
        }
    }

    /// No hold is ended by the clock before its time, and on a slot of one seat nobody comes
    /// before the hold of another is over.
    /// - Parameter lapsed: the holds that time has ended.
    public static func holdLife(_ holds: [Holding], lapsed: Set<String>) -> [String] {
        var wrong = holds.filter { lapsed.contains($0.id) && $0.until < $0.expiresAt }.map {
            "\($0.id) lapsed before its time"
        }
        for (slot, all) in Dictionary(grouping: holds, by: \.slot) {
            let ordered = all.sorted { ($0.from, $0.until) < ($1.from, $1.until) }
            for (before, after) in zip(ordered, ordered.dropFirst())
            where after.from < min(before.until, before.expiresAt) {
                wrong.append("\(slot): \(after.id) came before \(before.id) was over")
            }
        }
        return wrong.sorted()
    }

    /// Somebody who got a place in a line, and when he asked and was answered.
    public struct Arrival: Sendable, Hashable {
        public let id: String
        public let place: Int64
        public let invoked: UInt64
        public let returned: UInt64

        public init(_ id: String, place: Int64, invoked: UInt64, returned: UInt64) {
            self.id = id
            self.place = place
            self.invoked = invoked
            self.returned = returned
        }
    }

    /// Nobody stands before one who had his place already when the other came.
    public static func order(_ arrivals: [Arrival]) -> [String] {
        var wrong: [String] = []
        var latest: Arrival?
        for arrival in arrivals.sorted(by: { $0.place < $1.place }) {
            if let latest, arrival.returned < latest.invoked {
                wrong.append("\(latest.id) came after \(arrival.id) and stands before")
            }
            if latest.map({ arrival.invoked > $0.invoked }) ?? true { latest = arrival }
        }
        return wrong
    }

    /// An entry of a line as its owner saw it.
    public struct Standing: Sendable, Hashable {
        public let version: Int64
        /// Nil when it does not wait any more.
        public let place: Int?

        public init(version: Int64, place: Int?) {
            self.version = version
            self.place = place
        }
    }

    /// What the owner of an entry sees, one look after the other: places become better only, and
    /// what was is not again.
    public static func standing(_ sights: [Standing]) -> [String] {
        zip(sights, sights.dropFirst()).compactMap { before, now in
            if now.version < before.version {
                return "version \(now.version) after \(before.version)"
            }
            guard let place = now.place else { return nil }
            guard let last = before.place else { return "waits again" }
            return place > last || place < 1 ? "place \(place) after \(last)" : nil
        }
    }

    /// After the faults have stopped everything comes to rest in time.
    public static func liveness(
        within time: Duration = .seconds(60),
        _ waiting: [(what: String, count: () async throws -> Int)]
    ) async throws -> [String] {
        let clock = ContinuousClock()
        let end = clock.now + time
        var wrong: [String] = []
        repeat {
            wrong = []
            for (what, count) in waiting {
                let left = try await count()
                if left != 0 { wrong.append("\(left) \(what)") }
            }
            if wrong.isEmpty { return [] }
            try await Task.sleep(for: .milliseconds(50))
        } while clock.now < end
        return wrong
    }
}
