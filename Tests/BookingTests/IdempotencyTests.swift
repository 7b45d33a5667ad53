import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct IdempotencyTests {
        @Test("A-07, X-09: same key and body is DUPLICATE_REQUEST with the original booking")
        func sameBody() async throws {
            let fixture = try await Fixture("key_same")
            var request = form("ani@example.com", fixture.piano)
            let original = try #require(try await fixture.register(request).booking)
            // The captcha's token is used up by the first try: it may differ.
            request.captchaToken = "another"
            let error = await refusal { try await fixture.register(request) }
            #expect(error.code == .duplicateRequest)
            #expect(try error.detail(BookingV1.OriginalBooking.self)?.booking == original)
            #expect(error.rpcError.code == .alreadyExists)
            #expect(try await fixture.number("select count(*) from booking") == 1)
            #expect(try await fixture.number("select count(*) from booking_history") == 1)
        }

        @Test("X-09: the same key for another body is IDEMPOTENCY_KEY_REUSED")
        func otherBody() async throws {
            let fixture = try await Fixture("key_other")
            var request = form("ani@example.com", fixture.piano)
            try await fixture.register(request)
            request.email = "budi@example.com"
            let error = await refusal { try await fixture.register(request) }
            #expect(error.code == .idempotencyKeyReused)
            #expect(try await fixture.number("select count(*) from booking") == 1)
        }

        @Test("X-09: 20 racing twins make one booking; all others are told of it")
        func twins() async throws {
            let fixture = try await Fixture("key_race")
            let request = form("ani@example.com", fixture.piano)
            let outcomes = await allAtOnce(20) { _ in try await fixture.register(request) }
            let made = outcomes.compactMap(\.value)
            #expect(made.count == 1)
            let refusals = outcomes.compactMap(\.refusal)
            #expect(refusals.count == 19)
            for error in refusals {
                #expect(error.code == .duplicateRequest)
                let told = try error.detail(BookingV1.OriginalBooking.self)?.booking
                #expect(told == made.first?.booking)
            }
            #expect(try await fixture.number("select count(*) from booking") == 1)
        }

        @Test("X-09: a twin that is still running is waited for, then REQUEST_IN_PROGRESS")
        func inFlight() async throws {
            let fixture = try await Fixture("key_flight")
            let request = form("ani@example.com", fixture.piano)
            let start = Deadline.now()
            try await fixture.pool.transaction { transaction in
                try await transaction.execute(
                    """
                    insert into idempotency_key (scope, key, request_hash, response, created_at)
                    values ('RegisterCourse public', \(request.idempotencyKey), ''::bytea, ''::bytea,
                        clock_timestamp())
                    """)
                let error = await refusal { try await fixture.register(request) }
                #expect(error.code == .requestInProgress)
                #expect(error.retryAfter != nil)
            }
            #expect(start.duration(to: .now()) >= .seconds(1.5))
        }

        @Test("confirm with a key: again with the same key is the same answer, not an error")
        func confirmReplay() async throws {
            let fixture = try await Fixture("key_confirm")
            let booking = try await fixture.request()
            let first = try await fixture.confirm(booking.id) { $0.idempotencyKey = "k1" }
            let again = try await fixture.confirm(booking.id) { $0.idempotencyKey = "k1" }
            #expect(again == first)
            let error = await refusal {
                try await fixture.confirm(booking.id) {
                    $0.idempotencyKey = "k1"
                    $0.reason = "other"
                }
            }
            #expect(error.code == .idempotencyKeyReused)
            let other = await refusal {
                try await fixture.confirm(booking.id) { $0.idempotencyKey = "k2" }
            }
            #expect(other.code == .invalidTransition)
            #expect(try await fixture.number("select count(*) from booking_history") == 2)
        }

        @Test("assign with a key: the replay tells booking and slot, and takes no second seat")
        func assignReplay() async throws {
            let fixture = try await Fixture("key_assign")
            let slot = SlotPlan(.random(), .random(), capacity: 3)
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            let first = try await fixture.assign(id, slot) { $0.idempotencyKey = "k" }
            let again = try await fixture.assign(id, slot) { $0.idempotencyKey = "k" }
            #expect(again == first)
            #expect(try await fixture.taken(slot) == 1)
        }

        @Test("20 racing twins of one assignment take one seat and get one answer")
        func assignTwins() async throws {
            let fixture = try await Fixture("key_assign_race")
            let slot = SlotPlan(.random(), .random(), capacity: 30)
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            let outcomes = await allAtOnce(20) { _ in
                try await fixture.assign(id, slot) { $0.idempotencyKey = "k" }
            }
            #expect(outcomes.compactMap(\.value).count == 20)
            #expect(Set(outcomes.compactMap(\.value?.booking)).count == 1)
            #expect(try await fixture.taken(slot) == 1)
        }

        @Test("a refused command leaves its key unused")
        func refusedKey() async throws {
            let fixture = try await Fixture("key_refused")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let booking = try await fixture.request()
            let error = await refusal {
                try await fixture.assign(booking.id, slot) { $0.idempotencyKey = "k" }
            }
            #expect(error.code == .invalidTransition)
            try await fixture.confirm(booking.id)
            let given = try await fixture.assign(booking.id, slot) {
                $0.idempotencyKey = "k"
                $0.reason = "only this one"
            }
            #expect(given.slot?.id == slot.id.description)
            // Assignments share transactions; other commands have their own.
            let late = try await fixture.request()
            func confirm() async throws -> String? {
                try await fixture.confirm(late.id) { request in
                    (request.scheduleId, request.reason) = (slot.id.description, "only this one")
                    request.idempotencyKey = "own"
                }.slot?.id
            }
            let full = await refusal { _ = try await confirm() }
            #expect(full.code == .capacityExceeded)
            try await fixture.cancel(booking.id)
            #expect(try await confirm() == slot.id.description)
        }

        @Test("X-05: a lapsed request stays BOOKING_EXPIRED, also when the key is used again")
        func lapsedKey() async throws {
            let fixture = try await Fixture("key_lapsed")
            let booking = try await fixture.request()
            try await fixture.lapse(booking.id)
            for _ in 0..<2 {
                let error = await refusal {
                    try await fixture.confirm(booking.id) { $0.idempotencyKey = "k" }
                }
                #expect(error.code == .bookingExpired || error.code == .invalidTransition)
            }
        }

        @Test("X-09: a replay is the first answer byte for byte, whatever happened since")
        func sameBytes() async throws {
            let fixture = try await Fixture("key_bytes")
            let slot = SlotPlan(.random(), .random(), capacity: 3)
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            let first = try await fixture.assign(id, slot) { $0.idempotencyKey = "k" }
            try await fixture.assign(try await fixture.confirmed(slot), slot)
            try await fixture.cancel(id)
            let again = try await fixture.assign(id, slot) { $0.idempotencyKey = "k" }
            #expect(again.encoded() == first.encoded())
            #expect(again.booking?.status == .confirmed, "as it was told, not as it is")
            #expect(try await fixture.taken(slot) == 1)
        }

        @Test("a key belongs to its caller and its method")
        func scope() async throws {
            let fixture = try await Fixture("key_scope")
            let ids = try await [fixture.request(), fixture.request()].map(\.id)
            try await fixture.confirm(ids[0]) { $0.idempotencyKey = "k" }
            var request = BookingV1.ConfirmRequest()
            request.bookingId = ids[1]
            request.idempotencyKey = "k"
            let other = ServerContext(method: BookingV1.BookingsMethods.confirm)
            other[PrincipalKey.self] = .admin(id: "8")
            let answer = try await fixture.bookings.confirm(request, other)
            #expect(answer.booking?.id == ids[1], "another admin's key")
            try await fixture.cancel(ids[0]) { $0.idempotencyKey = "k" }
            #expect(
                try await fixture.number("select count(*) from idempotency_key where key = 'k'")
                    == 3)
        }

        @Test("no answer is empty and no key is left behind by whoever was refused")
        func noStuckKeys() async throws {
            let fixture = try await Fixture("key_stuck")
            let slot = SlotPlan(.random(), .random(), capacity: 2)
            try await fixture.publish([slot])
            var ids: [String] = []
            for _ in 0..<6 { ids.append(try await fixture.confirmed(slot)) }
            let outcomes = await allAtOnce(18) { [ids] index in
                try await fixture.assign(ids[index / 3], slot) {
                    $0.idempotencyKey = "k\(index / 3)"
                }
            }
            #expect(outcomes.compactMap(\.value).count == 6, "2 seats, 3 answers for each")
            #expect(outcomes.compactMap(\.refusal).allSatisfy { $0.code == .capacityExceeded })
            #expect(
                try await fixture.number("select count(*) from idempotency_key where key ~ '^k'")
                    == 2)
            #expect(
                try await fixture.number(
                    "select count(*) from idempotency_key where response = ''::bytea") == 0)
        }

        @Test("keys are forgotten after seven days, in batches, and no sooner")
        func retention() async throws {
            let fixture = try await Fixture("key_retention")
            try await fixture.pool.execute(
                """
                insert into idempotency_key (scope, key, request_hash, response, created_at)
                select 'old', n::text, ''::bytea, 'x'::bytea,
                    clock_timestamp() - interval '7 days' + make_interval(secs => n)
                from generate_series(-50, 60, 10) n where n <> 0
                """)
            #expect(try await IdempotencyTable.forget(limit: 3, on: fixture.pool) == 3)
            #expect(try await IdempotencyTable.forget(limit: 3, on: fixture.pool) == 2)
            #expect(try await IdempotencyTable.forget(limit: 3, on: fixture.pool) == 0)
            #expect(try await fixture.number("select min(key::int) from idempotency_key") == 10)
        }
    }
}
