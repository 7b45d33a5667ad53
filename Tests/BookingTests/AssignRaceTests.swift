import Domain
import Environment
import Loop
import Postgres
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(4))) struct AssignRaceTests {
        /// What must hold at all times: no overlap, taken = assigned, claims of taken slots only.
        static let overlaps: SQL = """
            select count(*) from claim a join claim b
            on a.resource_id = b.resource_id and a.id < b.id and a.during && b.during
            """
        static let seats: SQL = """
            select count(*) from slot s where s.taken <> (
                select count(*) from booking b
                where b.confirmed_slot_id = s.id and b.status = 'confirmed')
            """
        static let strayClaims: SQL = """
            select count(*) from slot s where
                (select count(*) from claim c where c.slot_id = s.id)
                <> case when s.taken > 0 then 2 else 0 end
            """
        /// The same from the bookings themselves, whatever the claims say.
        static let doubleBookings: SQL = """
            select count(*) from (select distinct a.id, b.id
                from slot a join slot_resource x on x.slot_id = a.id
                join slot_resource y on y.resource_id = x.resource_id
                join slot b on b.id = y.slot_id and a.id < b.id
                where a.starts_at < b.ends_at and b.starts_at < a.ends_at
                    and a.taken > 0 and b.taken > 0) doubled
            """
        static let deadlocks: SQL = """
            select deadlocks from pg_stat_database where datname = current_database()
            """

        /// Overlapping offers that share three instructors and three rooms.
        private func offers() -> [SlotPlan] {
            let instructors = (0..<3).map { _ in UUID.random() }
            let rooms = (0..<3).map { _ in UUID.random() }
            return (0..<30).map { index in
                SlotPlan(
                    instructors[index % 3], rooms[index / 3 % 3], hour: 9 + index / 15,
                    minute: index % 4 * 15, capacity: index % 5 == 0 ? 3 : 1)
            }
        }

        @Test("A-19, X-82: 100 bookings race for overlapping slots: no overlap, no deadlock")
        func race100() async throws {
            let fixture = try await Fixture("assign_race", poolSize: 40)
            let slots = offers()
            try await fixture.publish(slots)
            var ids: [String] = []
            for index in 0..<100 {
                ids.append(try await fixture.confirmed(slots[index % 30], slots[(index + 7) % 30]))
            }
            let before = try await fixture.number(Self.deadlocks)
            let outcomes = await allAtOnce(100) { [ids] index in
                try await fixture.assign(ids[index], slots[index % 30])
            }
            let won = outcomes.compactMap(\.value)
            let lost = outcomes.compactMap(\.refusal)
            #expect(won.count + lost.count == 100, "every loser is told a refusal of ours")
            #expect(won.count >= 2)
            #expect(Set(lost.map(\.code)).isSubset(of: [.scheduleConflict, .capacityExceeded]))
            for error in lost {
                let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
                #expect(details.alternatives.count <= 3)
            }
            try await sweep(fixture)
            #expect(
                try await fixture.number(
                    "select count(*) from booking where confirmed_slot_id is not null")
                    == won.count)
            #expect(
                try await fixture.number(
                    "select count(*) from booking_history where action = 'slot_assigned'")
                    == won.count)
            try await expectNoDeadlocks(fixture, before)
        }

        @Test("X-117: assigning and cancelling against each other keeps every number right")
        func churn() async throws {
            let fixture = try await Fixture("assign_churn", poolSize: 40)
            let slots = offers()
            try await fixture.publish(slots)
            var ids: [String] = []
            for _ in 0..<60 { ids.append(try await fixture.confirmed()) }
            let before = try await fixture.number(Self.deadlocks)
            let outcomes = await allAtOnce(60) { [ids] index in
                for turn in 0..<3 {
                    do {
                        try await fixture.assign(ids[index], slots[(index * 7 + turn) % 30]) {
                            $0.reason = "race"
                        }
                        if index % 2 == 0 { try await fixture.cancel(ids[index]) }
                        return
                    } catch let error as DomainError
                        where error.code == .scheduleConflict || error.code == .capacityExceeded
                    {
                        continue
                    }
                }
            }
            for outcome in outcomes {
                if case .failure(let error) = outcome { Issue.record("\(error)") }
            }
            try await sweep(fixture)
            try await expectNoDeadlocks(fixture, before)
        }

        @Test("X-15, X-117: publishing classes and assigning lessons of the same people at once")
        func publishRace() async throws {
            let fixture = try await Fixture("publish_race", poolSize: 40)
            let slots = offers()
            try await fixture.publish(slots)
            var ids: [String] = []
            for _ in 0..<30 { ids.append(try await fixture.confirmed()) }
            let before = try await fixture.number(Self.deadlocks)
            let outcomes = await allAtOnce(60) { [ids] index -> Bool in
                if index < 30 {
                    try await fixture.assign(ids[index], slots[index]) { $0.reason = "race" }
                } else {
                    let near = slots[index - 30]
                    var lessons = (0..<3).map { step in
                        SlotPlan(near.instructor, near.room, hour: 8 + step * 2, minute: index - 30)
                    }
                    lessons.shuffle()
                    try await fixture.publish(lessons, of: fixture.choir)
                }
                return true
            }
            let refusals = outcomes.compactMap(\.refusal)
            #expect(refusals.count == outcomes.count { $0.value == nil })
            #expect(Set(refusals.map(\.code)).isSubset(of: [.scheduleConflict, .capacityExceeded]))
            #expect(try await fixture.number(Self.overlaps) == 0)
            #expect(try await fixture.number(Self.seats) == 0)
            try await expectNoDeadlocks(fixture, before)
        }

        @Test("the sweep can fail: without the constraint a planted overlap is found")
        func mutation() async throws {
            let fixture = try await Fixture("assign_mutation")
            let (ani, room) = (UUID.random(), UUID.random())
            let slots = [SlotPlan(ani, room), SlotPlan(ani, room, minute: 30)]
            try await fixture.publish(slots)
            try await fixture.assign(try await fixture.confirmed(slots[0]), slots[0])
            let plant: SQL = """
                insert into claim (resource_id, slot_id, during)
                select \(ani), \(slots[1].id), tstzrange(\(slots[1].start), \(slots[1].end), '[)')
                """
            let refused = await #expect(throws: PostgresError.self) {
                try await fixture.pool.execute(plant)
            }
            #expect(refused?.sqlState == .exclusionViolation)
            #expect(refused?.constraint == "claim_no_overlap")
            try PostgresClusterSQL.run(
                "alter table booking.claim drop constraint claim_no_overlap",
                on: "booking_assign_mutation")
            try await fixture.pool.execute(plant)
            #expect(try await fixture.number(Self.overlaps) == 1)
            // Without the guarantee two that pass the look at the same time both go through.
            let id = try await fixture.confirmed(slots[1])
            for statement: SQL in [
                "update slot set taken = 1 where id = \(slots[1].id)",
                """
                update booking set confirmed_slot_id = \(slots[1].id),
                    assignment_basis = 'first_choice' where id = \(id)::uuid
                """,
            ] { try await fixture.pool.execute(statement) }
            #expect(try await fixture.number(Self.doubleBookings) == 1)
        }

        private func sweep(_ fixture: Fixture) async throws {
            #expect(try await fixture.number(Self.overlaps) == 0)
            #expect(try await fixture.number(Self.doubleBookings) == 0)
            #expect(try await fixture.number(Self.seats) == 0)
            #expect(try await fixture.number(Self.strayClaims) == 0)
            #expect(
                try await fixture.number(
                    """
                    select count(*) from booking b where b.version <> (
                        select count(*) from booking_history h where h.booking_id = b.id)
                    """) == 0, "X-85: one history row for each version")
        }

        private func expectNoDeadlocks(_ fixture: Fixture, _ before: Int) async throws {
            // Statistics are flushed a second late; a session tells them when it ends.
            await fixture.pool.close()
            try await Fixture.loop.sleep(for: .milliseconds(1200))
            let text = try PostgresClusterSQL.run(
                """
                select deadlocks from pg_stat_database
                where datname = 'booking_' || '\(fixture.name)'
                """, on: "postgres")
            #expect(Int(text.filter(\.isNumber)) == before)
        }
    }
}
