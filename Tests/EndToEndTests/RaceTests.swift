import Foundation
import Glibc
import Synchronization
import TestKit
import Testing

extension EndToEnd {
    /// Promises 1, 2, 4, 6, 7 and 8 of reliability.md at once: 64 clients, three booking processes,
    /// one database, and a nemesis that kills them; then the clients' journals against the tables.
    ///
    /// RACE_ATTEMPTS says how many requests (default 12,000; 100,000 in `deploy/races`).
    @Suite("The race, with kills on", .timeLimit(.minutes(10)))
    struct RaceTests {
        private static let attempts =
            ProcessInfo.processInfo.environment["RACE_ATTEMPTS"].flatMap { Int($0) } ?? 12_000
        private static let clients = 64

        @Test("no overlap, no seat sold twice, nothing acknowledged is lost, no key is stuck")
        func race() async throws {
            try await Stage.own(.apart) { stage in
                // Two slots an hour overlap by half and share their instructor: only one of a pair
                // can be given to anybody.
                let lessons = (0..<24).map { number in
                    Stage.Lesson(
                        hour: Double(number) / 2, instructor: number / 2, room: number,
                        capacity: 1 + number % 4)
                }
                let course = try await stage.course(lessons)
                let replicas = try [
                    stage.system.replica(of: .booking), stage.system.replica(of: .booking),
                ]
                for replica in replicas { try await replica.launch() }
                let journal = Journal(stage.system.folder.appendingPathComponent("journal.jsonl"))
                let customers = try await RaceCustomers(stage, course, replicas, journal)
                let nemesis = Nemesis(stage, replicas, seed: UInt64(Date().timeIntervalSince1970))
                let began = ContinuousClock.now
                let isOver = Mutex(false)
                let storm = Task {
                    while !isOver.withLock({ $0 }) { try await nemesis.strike() }
                }
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<Self.clients {
                        group.addTask {
                            await customers.live(number, until: Self.attempts)
                        }
                    }
                }
                isOver.withLock { $0 = true }
                try await storm.value
                let took = began.duration(to: .now)
                try await verify(stage, course, journal, customers)
                print(
                    "race: \(journal.operations.count) attempts in \(took), "
                        + "\(journal.count(.ok)) ok, \(journal.count(.fail)) refused, "
                        + "\(journal.count(.info)) unknown; \(customers.seen); \(nemesis.seen)")
                #expect(journal.operations.count >= Self.attempts)
                #expect(nemesis.strikes >= 3, "void without faults")
                #expect(customers.settled > 0, "void without requests that had to be settled")
                #expect(customers.refusedBodies > 0 && customers.replays > 0)
                for replica in replicas { await replica.stop() }
            }
        }

        private func verify(
            _ stage: Stage, _ course: Stage.Course, _ journal: Journal, _ customers: RaceCustomers
        ) async throws {
            let all = journal.operations
            func rows(_ sql: String) async throws -> [[String]] {
                try await stage.system.sql(sql).split(separator: "\n").map {
                    $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
                }
            }
            #expect(
                try await Checker.liveness(
                    within: .seconds(60),
                    [
                        ("events unpublished", { try await stage.unpublished() }),
                        (
                            "keys without an answer",
                            {
                                Int(
                                    try await stage.system.sql(
                                        "select count(*) from booking.idempotency_key where response = ''"
                                    )) ?? -1
                            }
                        ),
                    ]) == [])
            // Durable: a key is there if and only if its request was acknowledged.
            let keys = Set(try await rows("select key from booking.idempotency_key").map { $0[0] })
            let own = all.filter { $0.name != "altered" && $0.name != "replay" }
            func named(_ outcome: Journal.Outcome) -> Set<String> {
                Set(own.filter { $0.outcome == outcome }.map(\.key))
            }
            #expect(
                Checker.durableSet(
                    acknowledged: named(.ok), possible: named(.info), final: keys
                ).prefix(5) == [])
            #expect(Checker.idempotency(customers.answers).prefix(5) == [])
            // One effect for each acknowledged request.
            let history = try await rows(
                """
                select h.action, count(*) from booking.booking_history h group by 1
                """)
            for (action, name) in [
                ("created", "register"), ("confirmed", "confirm"), ("slot_assigned", "assign"),
                ("cancelled", "cancel"),
            ] {
                let done = all.count { $0.name == name && $0.outcome == .ok }
                let open = all.count { $0.name == name && $0.outcome == .info }
                let found = history.first { $0[0] == action }.flatMap { Int($0[1]) } ?? 0
                #expect((done...done + open).contains(found), "\(action): \(found), told \(done)")
            }
            let doubles = try await stage.system.sql(
                "select count(*) - count(distinct email) from booking.registration")
            #expect(doubles == "0")
            // Versions of history and events without hole.
            for sql in [
                "select booking_id, version from booking.booking_history order by id",
                """
                select key, body::jsonb->'payload'->>'version' from booking.outbox
                where topic like 'booking.%' order by id
                """,
            ] {
                let versions = try await rows(sql).map { ($0[0], Int($0[1]) ?? -1) }
                #expect(versions.count > 100)
                #expect(
                    Checker.versions(versions.map { (aggregate: $0.0, version: $0.1) }).prefix(5)
                        == [])
            }
            try await verifySeats(stage, course, all, rows)
        }

        private func verifySeats(
            _ stage: Stage, _ course: Stage.Course, _ all: [Journal.Operation],
            _ rows: (String) async throws -> [[String]]
        ) async throws {
            // Exclusion, from the bookings themselves.
            let claims = try await rows(
                """
                select distinct s.id, r.id, extract(epoch from s.starts_at)::bigint,
                    extract(epoch from s.ends_at)::bigint
                from booking.slot s
                join booking.booking b on b.confirmed_slot_id = s.id and b.status = 'confirmed'
                join schedule.class_schedules c on c.id = s.id
                cross join lateral (values (c.instructor_id), (c.room_id)) r (id)
                """
            ).map { Checker.Claim($0[0], $0[1], Int64($0[2]) ?? 0, Int64($0[3]) ?? 0) }
            #expect(Checker.exclusion(claims) == [])
            let seats = try await rows(
                """
                select s.id, s.capacity, s.taken, (select count(*) from booking.booking b
                    where b.confirmed_slot_id = s.id and b.status = 'confirmed')
                from booking.slot s
                """)
            #expect(seats.allSatisfy { $0[2] == $0[3] }, "\(seats)")
            // Capacity, at every version that was ever told.
            let remaining = try await rows(
                """
                select min((body::jsonb->'payload'->'data'->>'slots_remaining')::int)
                from booking.outbox where topic = 'availability.updated'
                """)
            #expect((Int(remaining[0][0]) ?? -1) >= 0)
            // Each slot is a register: what its customers saw fits some order.
            let capacities = Dictionary(
                uniqueKeysWithValues: seats.map { ($0[0], Int($0[1]) ?? 0) })
            var checked = 0
            for slot in course.slots {
                let story = Self.story(of: slot, all)
                checked += story.count
                #expect(
                    Linearizability.holds(
                        story, from: SeatRegister(capacity: capacities[slot] ?? 0)),
                    "slot \(slot)")
            }
            print("race: \(checked) operations of \(course.slots.count) slots are linearizable")
        }

        /// The beginning of what customers saw of a slot: what had not ended by then is unknown.
        /// Refusals because of the neighbour say nothing about the seats.
        private static func story(
            of slot: String, _ all: [Journal.Operation]
        ) -> [Linearizability<SeatRegister>.Operation] {
            var holders: Set<String> = []
            var events: [Journal.Operation] = []
            for operation in all.sorted(by: { $0.invoked < $1.invoked }) {
                let parts = operation.argument.split(separator: " ").map(String.init)
                switch operation.name {
                case "assign" where parts.last == slot:
                    if operation.outcome == .fail, operation.value != "CAPACITY_EXCEEDED" {
                        continue
                    }
                    if operation.outcome != .fail { holders.insert(parts[0]) }
                    events.append(operation)
                case "cancel" where holders.contains(parts[0]) && operation.outcome != .fail:
                    events.append(operation)
                default: continue
                }
            }
            guard let last = events.prefix(40).last else { return [] }
            return events.prefix(40).map { operation in
                let isKnown =
                    operation.outcome != .info && (operation.returned ?? .max) <= last.invoked
                let action: SeatRegister.Action =
                    operation.name == "cancel"
                    ? .cancel : .book(isGranted: operation.outcome != .fail)
                return .init(action, operation.invoked, isKnown ? operation.returned : nil)
            }
        }
    }
}
