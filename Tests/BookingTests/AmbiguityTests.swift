import Domain
import Environment
import Loop
import Postgres
import RPC
import Schema
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    /// Reliability promise 7: what a lost answer to COMMIT leaves open is settled by writing the
    /// same key again. The connection is cut by a proxy in front of a real PostgreSQL.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct AmbiguityTests {
        /// Services whose connections lose every third COMMIT, in all three ways in turn.
        private func proxied(
            _ fixture: Fixture, isCommit: @escaping @Sendable (String) -> Bool = { $0 == "commit" },
            fate: (@Sendable (Int) -> FaultProxy.Fate)? = nil
        ) throws -> (proxy: FaultProxy, pool: PostgresPool, bookings: BookingService) {
            let turn = Count()
            let fates: [FaultProxy.Fate] = [
                .pass, .lostAnswer, .pass, .cutBehind, .pass, .lostRequest,
            ]
            let fate = fate ?? { fates[$0 % fates.count] }
            let proxy = try FaultProxy(
                to: try PostgresCluster.shared().port, isCommit: isCommit
            ) { fate(turn.next()) }
            var configuration = PostgresConfiguration(
                url: "postgresql://postgres@127.0.0.1:\(proxy.port)/booking_\(fixture.name)"
            ).forService("booking")
            configuration.acquireTimeout = .seconds(20)
            configuration.defaultQueryTimeout = .seconds(20)
            let pool = PostgresPool(
                configuration: configuration, loop: Fixture.loop,
                logger: Logger(label: "test", sink: LogCapture().sink))
            let bookings = BookingService(
                pool: pool, clock: .system, captcha: NoCaptcha(), tokens: Fixture.tokens,
                committed: {})
            return (proxy, pool, bookings)
        }

        private func inTurns<T: Sendable>(
            _ count: Int, alone: Int, _ body: @escaping @Sendable (Int) async throws -> T
        ) async -> [Result<T, any Error>] {
            var outcomes: [Result<T, any Error>] = []
            for index in 0..<alone { outcomes += await allAtOnce(1) { _ in try await body(index) } }
            return outcomes + (await allAtOnce(count - alone) { try await body($0 + alone) })
        }

        @Test("commands with keys: each done once and answered right, whatever was lost")
        func commands() async throws {
            let fixture = try await Fixture("ambiguous_assign")
            let slot = SlotPlan(.random(), .random(), capacity: 80)
            try await fixture.publish([slot])
            var ids: [String] = []
            for _ in 0..<60 { ids.append(try await fixture.confirmed(slot)) }
            let lossy = try proxied(fixture)
            // Each with a COMMIT of its own, then many that share one.
            let outcomes = await inTurns(ids.count, alone: 40) { [ids] index in
                var request = BookingV1.AssignSlotRequest()
                request.bookingId = ids[index]
                request.scheduleId = slot.id.description
                request.idempotencyKey = "assign-\(index)"
                return try await lossy.bookings.assignSlot(
                    request, Fixture.admin(BookingV1.BookingsMethods.assignSlot))
            }
            #expect(outcomes.compactMap(\.value).count == 60, "\(outcomes.compactMap(\.refusal))")
            #expect(try await fixture.taken(slot) == 60)
            let told = outcomes.compactMap(\.value?.booking)
            #expect(Set(told.map(\.id)) == Set(ids))
            #expect(told.allSatisfy { $0.version == 3 && $0.confirmedSlotId != nil })
            #expect(
                try await fixture.number(
                    "select count(*) from booking_history where action = 'slot_assigned'") == 60)
            #expect(lossy.proxy.ambiguous >= 20, "\(lossy.proxy.ambiguous) ambiguous commits seen")
            #expect(lossy.proxy.seen(.lostRequest) > 0 && lossy.proxy.seen(.lostAnswer) > 0)
            await lossy.pool.close()
            lossy.proxy.stop()
        }

        @Test("a COMMIT that still runs when the retry comes is waited for, not looked for")
        func slowCommit() async throws {
            let fixture = try await Fixture("ambiguous_slow")
            let slot = SlotPlan(.random(), .random(), capacity: 1)
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            try PostgresClusterSQL.run(
                """
                create function booking.dawdle() returns trigger language plpgsql
                    as $$ begin perform pg_sleep(0.7); return null; end $$;
                create constraint trigger dawdle after update on booking.booking
                    deferrable initially deferred for each row execute function booking.dawdle()
                """, on: "booking_ambiguous_slow")
            let lossy = try proxied(fixture, fate: { $0 == 0 ? .cutBehind : .pass })
            var request = BookingV1.CancelRequest()
            (request.bookingId, request.reason, request.idempotencyKey) = (id, "slow", "slow")
            let answer = try await lossy.bookings.cancel(
                request, Fixture.admin(BookingV1.BookingsMethods.cancel))
            #expect(answer.booking?.version == 3)
            #expect(lossy.proxy.seen(.cutBehind) == 1)
            #expect(
                try await fixture.number(
                    "select count(*) from booking_history where action = 'cancelled'") == 1)
            await lossy.pool.close()
            lossy.proxy.stop()
        }

        @Test("registrations: the one whose answer was lost is told of its booking, not of a twin")
        func registrations() async throws {
            let fixture = try await Fixture("ambiguous_register")
            let lossy = try proxied(fixture) { $0.contains("insert into idempotency_key") }
            let outcomes = await inTurns(60, alone: 40) { index in
                try await lossy.bookings.registerCourse(
                    form("a\(index)@example.com", fixture.piano),
                    ServerContext(method: BookingV1.BookingsMethods.registerCourse))
            }
            #expect(outcomes.compactMap(\.value).count == 60, "\(outcomes.compactMap(\.refusal))")
            let told = Set(outcomes.compactMap(\.value?.booking?.id))
            let kept = try await fixture.pool.query("select id::text from booking").map {
                row -> String in try row[0]
            }
            #expect(Set(kept) == told && kept.count == 60)
            #expect(lossy.proxy.ambiguous >= 20, "\(lossy.proxy.ambiguous) ambiguous commits seen")
            await lossy.pool.close()
            lossy.proxy.stop()
        }

        @Test("without a key nobody guesses: the caller hears that the outcome is unknown")
        func withoutKey() async throws {
            let fixture = try await Fixture("ambiguous_no_key")
            let lossy = try proxied(fixture)
            let ids = try await [fixture.request(), fixture.request(), fixture.request()].map(\.id)
            var refused = 0
            for id in ids {
                var request = BookingV1.ConfirmRequest()
                request.bookingId = id
                do {
                    _ = try await lossy.bookings.confirm(
                        request, Fixture.admin(BookingV1.BookingsMethods.confirm))
                } catch let error as DomainError {
                    #expect(error.code == .upstreamUnavailable)
                    refused += 1
                }
            }
            #expect(refused > 0)
            await lossy.pool.close()
            lossy.proxy.stop()
        }
    }
}
