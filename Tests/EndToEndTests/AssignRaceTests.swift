import TestKit
import Testing

extension EndToEnd {
    @Suite("The assign race")
    struct AssignRaceTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "A-19, X-17: 100 admins assign overlapping slots at once: no overlap, no deadlock",
            arguments: Mode.allCases)
        func race(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            // 40 slots of an hour, every half hour, three instructors and three rooms across.
            let lessons = (0..<40).map { number in
                Stage.Lesson(
                    hour: Double(number % 8) / 2, instructor: number % 3, room: (number / 2) % 3,
                    capacity: number % 5 == 0 ? 2 : 1)
            }
            let course = try await stage.course(lessons)
            let bookings = try await batches(100) { number in
                try await stage.confirmed(course, first: course.slots[number % 40])
            }
            let deadlocks = try await stage.system.sql(Self.deadlocks)
            let answers = try await parallel(100) { number in
                try await stage.assign(
                    bookings[number], course.slots[number % 40], key: "race-\(number)")
            }
            let assigned = answers.count { $0.status == 200 }
            #expect(assigned > 3)
            let refused = answers.filter { $0.status != 200 }
            #expect(!refused.isEmpty)
            let codes: Set = ["SCHEDULE_CONFLICT", "CAPACITY_EXCEEDED", "SLOT_UNAVAILABLE"]
            #expect(
                refused.allSatisfy { $0.status == 409 && codes.contains($0.code ?? "") },
                "\(Set(refused.map { "\($0.status) \($0.code ?? "")" }))")
            #expect(try await stage.system.sql(Self.deadlocks) == deadlocks)
            #expect(try await stage.system.sql(Self.overlaps) == "0")
            #expect(try await stage.system.sql(Self.miscounted) == "0")
            let seats = try await stage.system.sql(
                "select sum(taken) from booking.slot where offering_id = '\(course.id)'")
            #expect(seats == "\(assigned)")
            let history = try await stage.system.sql(
                """
                select count(*) from booking.booking_history h join booking.booking b
                on b.id = h.booking_id where b.offering_id = '\(course.id)'
                and h.action = 'slot_assigned'
                """)
            #expect(history == "\(assigned)")
        }

        @Test(
            "X-03: one booking assigned to 20 slots at once gets exactly one",
            arguments: Mode.allCases)
        func oneBooking(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course((0..<20).map { .init(hour: Double($0) * 2) })
            let id = try await stage.confirmed(course)
            let answers = try await parallel(20) { number in
                try await stage.assign(
                    id, course.slots[number], reason: "race", key: "race-\(number)")
            }
            #expect(answers.count { $0.status == 200 } == 1, "\(answers.map(\.status))")
            #expect(answers.allSatisfy { $0.status == 200 || $0.code == "INVALID_TRANSITION" })
            let seats = try await stage.system.sql(
                "select sum(taken) from booking.slot where offering_id = '\(course.id)'")
            #expect(seats == "1")
        }

        /// Runs `body` for 0..<count, ten at once.
        private func batches<T: Sendable>(
            _ count: Int, _ body: @escaping @Sendable (Int) async throws -> T
        ) async throws -> [T] {
            var results: [T] = []
            while results.count < count {
                let done = results.count
                results += try await parallel(min(10, count - done)) { try await body(done + $0) }
            }
            return results
        }

        private static let deadlocks =
            "select deadlocks from pg_stat_database where datname = current_database()"

        /// Assigned slots that share a person or a room at the same time: looks at bookings, not
        /// at the claims that are meant to prevent it.
        private static let overlaps = """
            with s as (select distinct s.* from booking.slot s join booking.booking b
                on b.confirmed_slot_id = s.id and b.status = 'confirmed')
            select count(*) from s a join s b on a.id < b.id
                and exists (select from booking.slot_resource x
                    join booking.slot_resource y on y.resource_id = x.resource_id
                    where x.slot_id = a.id and y.slot_id = b.id)
                and a.starts_at < b.ends_at and a.ends_at > b.starts_at
            """

        private static let miscounted = """
            select count(*) from booking.slot s where taken <> (select count(*)
                from booking.booking b where b.confirmed_slot_id = s.id and b.status = 'confirmed')
            """
    }
}
