import Domain
import Environment
import Loop
import Postgres
import Schema
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    /// The tables alone, without any check of the application: what code forgets, they refuse
    /// (reliability.md §1, promise 1: the mutation).
    @Suite(.serialized, .timeLimit(.minutes(4))) struct ConstraintTests {
        private static func refusals<T>(_ outcomes: [Result<T, any Error>]) -> [String] {
            outcomes.compactMap { outcome in
                guard case .failure(let error) = outcome else { return nil }
                return (error as? PostgresError)?.sqlState?.description ?? "\(error)"
            }
        }

        @Test("claims: 60 blind inserts over one instructor at once leave no overlap")
        func claims() async throws {
            let fixture = try await Fixture("constraint_claims", poolSize: 4)
            let instructor = UUID.random()
            let slots = (0..<40).map { index in
                SlotPlan(instructor, .random(), hour: 9 + index / 8, minute: index % 8 * 7)
            }
            try await fixture.publish(slots)
            let outcomes = await allAtOnce(60) { index in
                let slot = slots[index % slots.count]
                while true {
                    do {
                        try await fixture.pool.execute(
                            """
                            insert into claim (resource_id, slot_id, during)
                            select \(instructor), \(slot.id),
                                tstzrange(\(slot.start), \(slot.end), '[)')
                            """, deadline: .after(.seconds(60)))
                        return
                    } catch let error as PostgresError
                        where ["40P01", "55P03"].contains(error.sqlState?.rawValue)
                        || error.code == .acquireTimedOut
                    {
                        // Two that wait for each other: one of them tries again. It takes a second
                        // until it is told so, in which others may find no connection.
                        // Not at once: those who were told at the same time would only meet again.
                        try await Task.sleep(for: .milliseconds(.random(in: 0..<100)))
                    }
                }
            }
            let refused = Self.refusals(outcomes)
            #expect(Set(refused) == ["23P01"], "\(Set(refused))")
            let kept = try await fixture.number("select count(*) from claim")
            #expect(kept == outcomes.count - refused.count && kept >= 2)
            // The plain sum of it: what is kept does not overlap.
            try await fixture.check([KernelInvariants.claims[0]])
            await fixture.pool.close()
        }

        @Test("seats: 100 blind increments of a slot of ten leave ten")
        func seats() async throws {
            let fixture = try await Fixture("constraint_seats", poolSize: 8)
            let slot = SlotPlan(.random(), .random(), capacity: 10)
            try await fixture.publish([slot])
            let outcomes = await allAtOnce(100) { _ in
                try await fixture.pool.execute(
                    "update slot set taken = taken + 1 where id = \(slot.id)")
            }
            let refused = Self.refusals(outcomes)
            #expect(refused.count == 90 && Set(refused) == ["23514"], "\(Set(refused))")
            #expect(try await fixture.taken(slot) == 10)
            await fixture.pool.close()
        }

        @Test("who counts the seats of a slot waits for who takes some")
        func lock() async throws {
            let clinic = try await Clinic("constraint_lock")
            let fixture = clinic.fixture
            let slot = try await clinic.slot(capacity: 2)
            let store = BookingStore(pool: fixture.pool)
            let opened = Count()
            let second = try await fixture.pool.transaction { transaction in
                var ledger = try await store.open([slot.id], transaction).ledger
                let second = Task {
                    try await fixture.pool.transaction { other in
                        let seen = try await store.open([slot.id], other).ledger
                        opened.add()
                        return seen.entries[slot.id]?.slot.taken
                    }
                }
                let isThere = try await eventually {
                    try opened.value > 0 || fixture.sessionsThatWait == 1
                }
                #expect(isThere)
                try ledger.take(1, of: slot.id)
                var last: [SQL] = []
                _ = try await store.settle(ledger, transaction, &last)
                // Neither hold nor booking: only the number is looked at here.
                try await transaction.commit(with: last)
                return second
            }
            #expect(try await second.value == 1)
            await fixture.pool.close()
        }

        @Test("a hold becomes one booking, a version one row, a state a legal pair, blindly or not")
        func bookings() async throws {
            let clinic = try await Clinic("constraint_bookings")
            let fixture = clinic.fixture
            let slot = try await clinic.slot(capacity: 5)
            let booked = try await clinic.booked(slot)
            let id = try #require(UUID(booked.booking?.id ?? ""))
            let wrong: [(SQL, String)] = [
                (
                    """
                    insert into booking (id, offering_id, applicant_key, status, payment_status,
                        expires_at, created_at, kind, hold_id, total)
                    select gen_random_uuid(), offering_id, applicant_key, 'cancelled',
                        payment_status, expires_at, created_at, kind, hold_id, total
                    from booking where id = \(id)
                    """, "23505"
                ),
                (
                    """
                    insert into booking_history (booking_id, at, to_status, actor, action, version)
                    select booking_id, at, to_status, actor, action, version
                    from booking_history where booking_id = \(id)
                    """, "23505"
                ),
                ("update booking set payment_status = 'refunded' where id = \(id)", "23503"),
                ("update booking set status = 'rescheduled' where id = \(id)", "23514"),
                ("update booking set confirmed_slot_id = null where id = \(id)", "23514"),
            ]
            for (sql, state) in wrong {
                let error = await #expect(throws: PostgresError.self, "\(sql)") {
                    try await fixture.pool.execute(sql)
                }
                #expect(error?.sqlState?.description == state, "\(sql)")
            }
            try await clinic.sweep()
            await fixture.pool.close()
        }
    }
}
