import Crypto
import Domain
import Environment
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(3))) struct HoldTests {
        @Test(
            "E-11, E-12, E-19, X-94: a hold takes seats for ten minutes; only the hash of its token is kept"
        )
        func place() async throws {
            let clinic = try await Clinic("hold_place")
            let slot = try await clinic.slot(capacity: 3)
            let placed = try await clinic.place(slot, 2)
            let hold = try #require(placed.hold)
            #expect(hold.status == .pending)
            #expect(hold.total == 100_000)
            #expect(hold.extensionsLeft == 1)
            #expect(placed.token.utf8.count == 43, "256 bits")
            let id = try #require(UUID(hold.id))
            let row = try await clinic.fixture.pool.query(
                """
                select token_hash, extract(epoch from expires_at - created_at)::int, holder_key
                from hold where id = \(id)
                """
            ).single()
            #expect(try row[0] as [UInt8] == SHA256.hash(Array(placed.token.utf8)))
            #expect(try row[1] as Int == 600)
            #expect(try await clinic.fixture.taken(slot) == 2)
            #expect(
                try await clinic.fixture.number(
                    """
                    select count(*) from idempotency_key
                    where position(convert_to(\(placed.token), 'UTF8') in response) > 0
                    """) == 0)
            try await clinic.sweep()
        }

        @Test("X-09: one key, one hold, the same token; another request with it is refused")
        func idempotency() async throws {
            let clinic = try await Clinic("hold_key")
            let slot = try await clinic.slot(capacity: 30)
            let outcomes = await allAtOnce(20) { _ in
                try await clinic.place(slot, holder: "one", key: "twin")
            }
            let answers = Set(outcomes.compactMap(\.value))
            #expect(outcomes.count { $0.value == nil } == 0)
            #expect(answers.count == 1)
            #expect(try await clinic.fixture.taken(slot) == 1)
            let error = await refusal {
                _ = try await clinic.place(slot, 2, holder: "one", key: "twin")
            }
            #expect(error.code == .idempotencyKeyReused)
            let other = try await clinic.slot(capacity: 1)
            let elsewhere = await refusal {
                _ = try await clinic.place(other, holder: "one", key: "twin")
            }
            #expect(elsewhere.code == .idempotencyKeyReused)
            try await clinic.sweep()
        }

        @Test(
            "X-90, X-91, X-92: capacity 10, 64 at once: exactly 10 win, all others are told",
            .timeLimit(.minutes(1)))
        func hotSlot() async throws {
            let clinic = try await Clinic("hold_hot", poolSize: 16)
            let slot = try await clinic.slot(capacity: 10)
            let near = try await clinic.slot(capacity: 1, hour: 11)
            let outcomes = await allAtOnce(64) { _ in try await clinic.place(slot) }
            #expect(outcomes.count { $0.value != nil } == 10)
            let refusals = outcomes.compactMap(\.refusal)
            #expect(refusals.count == 54)
            #expect(Set(refusals.map(\.code)) == [.capacityExceeded])
            for error in refusals {
                let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
                #expect(details.alternatives.map(\.id) == [near.id.description])
            }
            // Again, now that the slot is known to be full; a free seat is found at once.
            let later = await allAtOnce(30) { _ in try await clinic.place(slot) }
            #expect(Set(later.map { $0.refusal?.code }) == [.capacityExceeded])
            try await clinic.release(try #require(outcomes.compactMap(\.value).first))
            _ = try await clinic.place(slot)
            #expect(try await clinic.fixture.taken(slot) == 10)
            try await clinic.sweep()
        }

        @Test("E-19: several seats at once never oversell")
        func quantities() async throws {
            let clinic = try await Clinic("hold_quantity", poolSize: 16)
            let slot = try await clinic.slot(capacity: 10)
            let outcomes = await allAtOnce(30) { index in
                try await clinic.place(slot, Int32(index % 4 + 1))
            }
            let seats = outcomes.compactMap { $0.value?.hold?.quantity }.reduce(0, +)
            #expect(seats <= 10 && seats >= 7)
            #expect(try await clinic.fixture.taken(slot) == Int(seats))
            let large = try await clinic.slot(capacity: 20, hour: 11)
            let error = await refusal { _ = try await clinic.place(large, 11) }
            #expect(error.code == .validationFailed, "the policy allows ten")
            try await clinic.sweep()
        }

        @Test("one order's failure is nobody else's, though they share a transaction")
        func isolation() async throws {
            let clinic = try await Clinic("hold_isolation")
            let slots = [
                try await clinic.slot(capacity: 100), try await clinic.slot(capacity: 1, hour: 11),
            ]
            let lesson = SlotPlan(.random(), .random(), hour: 13)
            let rival = SlotPlan(lesson.instructor, .random(), hour: 13)
            try await clinic.fixture.publish([lesson, rival])
            _ = try await clinic.place(rival)
            _ = try await clinic.place(slots[0], key: "used")
            let missing = SlotPlan(.random(), .random())
            let outcomes = await allAtOnce(40) { index -> String in
                switch index % 8 {
                case 1: return try await clinic.place(missing).token
                case 2: return try await clinic.place(slots[0], key: "used").token
                case 3: return try await clinic.place(slots[1]).token
                case 4: return try await clinic.place(lesson).token
                default: return try await clinic.place(slots[0]).token
                }
            }
            let codes = outcomes.compactMap(\.refusal).map(\.code)
            #expect(codes.count { $0 == .slotNotFound } == 5)
            #expect(codes.count { $0 == .idempotencyKeyReused } == 5)
            #expect(codes.count { $0 == .capacityExceeded } == 4)
            #expect(codes.count { $0 == .scheduleConflict } == 5)
            #expect(outcomes.count { $0.value != nil } == 21)
            #expect(try await clinic.fixture.taken(slots[0]) == 21)
            try await clinic.sweep()
        }

        @Test(
            "who is known to find a slot full is not told so while his first try is being decided")
        func beingDecided() async throws {
            let clinic = try await Clinic("hold_deciding")
            let fixture = clinic.fixture
            let slot = try await clinic.slot(capacity: 1)
            let other = try await clinic.slot(capacity: 1, hour: 11)
            _ = try await clinic.place(other, holder: "late")
            let first = try await clinic.place(slot)
            #expect(await refusal { _ = try await clinic.place(slot) }.code == .capacityExceeded)
            let again = try await fixture.pool.transaction { transaction in
                _ = try await transaction.query(
                    """
                    select pg_advisory_xact_lock(
                        ('x' || left(encode(holder_key, 'hex'), 16))::bit(64)::bigint)
                    from hold where slot_id = \(other.id)
                    """)
                let again = Task { try await clinic.place(slot, holder: "late") }
                let waits = try await eventually {
                    try await fixture.number(
                        """
                        select count(*) from pg_locks where locktype = 'advisory' and not granted
                        and database = (select oid from pg_database
                            where datname = current_database())
                        """) == 1
                }
                #expect(waits)
                _ = try await clinic.release(first)
                return again
            }
            #expect(try await again.value.hold != nil)
            try await clinic.sweep()
        }

        @Test("X-93: dead holds count as free without any sweeper, and no seat leaks by a refusal")
        func lapsed() async throws {
            let clinic = try await Clinic("hold_lapsed")
            let slot = try await clinic.slot(capacity: 3)
            for _ in 0..<3 { _ = try await clinic.place(slot) }
            #expect(await refusal { _ = try await clinic.place(slot) }.code == .capacityExceeded)
            try await clinic.lapse()
            // Refused, but what it has found dead must not be lost with it.
            #expect(await refusal { _ = try await clinic.place(slot, 4) }.code == .capacityExceeded)
            try await clinic.sweep()
            let outcomes = await allAtOnce(10) { _ in try await clinic.place(slot) }
            #expect(outcomes.count { $0.value != nil } == 3)
            #expect(try await clinic.fixture.taken(slot) == 3)
            #expect(
                try await clinic.fixture.number(
                    "select count(*) from hold where status = 'expired'") == 3)
            try await clinic.sweep()
        }

        @Test(
            "promise 8: the clock of the process does not matter, a day ahead or behind",
            arguments: [-86_400, 86_400])
        func skewed(seconds: Int) async throws {
            let clinic = try await Clinic("hold_skewed")
            let fixture = clinic.fixture
            let skewed = HoldService(
                pool: fixture.pool,
                clock: Clock { .now() + .seconds(seconds) },
                tokens: clinic.tokens, committed: {})
            let slot = try await clinic.slot(capacity: 1)
            var request = BookingV1.PlaceHoldRequest()
            (request.slotId, request.holder) = (slot.id.description, "skewed")
            request.idempotencyKey = "skewed"
            let placed = try await skewed.placeHold(
                request, ServerContext(method: BookingV1.HoldsMethods.placeHold))
            let left = try await fixture.number(
                "select extract(epoch from expires_at - clock_timestamp())::int from hold")
            #expect((590...600).contains(left))
            // Nobody comes before its end, and it can be confirmed until then.
            let early = await refusal { _ = try await clinic.place(slot) }
            #expect(early.code == .capacityExceeded)
            #expect(try await clinic.confirm(placed).booking?.status == .pendingPayment)
            try await clinic.sweep()
        }

        @Test("E-19: a hold is extended as often as the policy allows, by its token only")
        func extend() async throws {
            let clinic = try await Clinic("hold_extend")
            let slot = try await clinic.slot(capacity: 1)
            let placed = try await clinic.place(slot)
            #expect(
                await refusal { _ = try await clinic.extend(placed, token: "x") }.code
                    == .holdTokenMismatch)
            let extended = try await clinic.extend(placed)
            #expect(extended.extensionsLeft == 0)
            let before = try #require(placed.hold?.expiresAt)
            #expect(Instant(try #require(extended.expiresAt)) > Instant(before))
            #expect(await refusal { _ = try await clinic.extend(placed) }.code == .holdLimitReached)
            try await clinic.lapse()
            #expect(await refusal { _ = try await clinic.extend(placed) }.code == .holdExpired)
        }

        @Test("E-19: releasing gives the seats back once")
        func release() async throws {
            let clinic = try await Clinic("hold_release")
            let slot = try await clinic.slot(capacity: 4)
            let placed = try await clinic.place(slot, 3)
            #expect(
                await refusal { try await clinic.release(placed, token: "x") }.code
                    == .holdTokenMismatch)
            let outcomes = await allAtOnce(10) { _ in try await clinic.release(placed) }
            #expect(Set(outcomes.map { $0.value?.status }) == [.released])
            #expect(try await clinic.fixture.taken(slot) == 0)
            var unknown = placed
            unknown.hold?.id = UUID.random().description
            #expect(await refusal { try await clinic.release(unknown) }.code == .holdNotFound)
            let confirmed = try await clinic.place(slot)
            _ = try await clinic.confirm(confirmed)
            #expect(
                await refusal { try await clinic.release(confirmed) }.code == .invalidTransition)
            #expect(try await clinic.fixture.taken(slot) == 1)
            try await clinic.sweep()
        }

        @Test("E-20, X-89: 20 racing confirmations of one hold make one booking")
        func confirmRace() async throws {
            let clinic = try await Clinic("hold_confirm_race", poolSize: 16)
            let slot = try await clinic.slot(capacity: 1)
            let placed = try await clinic.place(slot)
            let outcomes = await allAtOnce(20) { _ in try await clinic.confirm(placed) }
            #expect(outcomes.count { $0.value != nil } == 1)
            #expect(Set(outcomes.compactMap(\.refusal).map(\.code)) == [.invalidTransition])
            #expect(try await clinic.fixture.number("select count(*) from booking") == 1)
            try await clinic.sweep()
        }

        @Test("X-89: a hold that is dead, or not one's own, cannot be confirmed")
        func confirmRefused() async throws {
            let clinic = try await Clinic("hold_confirm_refused")
            let slot = try await clinic.slot(capacity: 2)
            let placed = try await clinic.place(slot)
            #expect(
                await refusal { _ = try await clinic.confirm(placed) { $0.token = "x" } }.code
                    == .holdTokenMismatch)
            #expect(
                await refusal { _ = try await clinic.confirm(placed) { $0.consent = false } }.code
                    == .consentRequired)
            let fields = await refusal {
                _ = try await clinic.confirm(placed) {
                    $0.email = "nobody"
                    $0.phone = "0812"
                    $0.fullName = " "
                }
            }
            #expect(Set(fields.violations.map(\.field)) == ["email", "phone", "full_name"])
            try await clinic.lapse()
            #expect(await refusal { _ = try await clinic.confirm(placed) }.code == .holdExpired)
            #expect(try await clinic.fixture.number("select count(*) from booking") == 0)
            try await clinic.sweep()
        }

        @Test("E-20: to be paid online: the seat is kept while the window is open, then anybody's")
        func paymentWindow() async throws {
            let clinic = try await Clinic("hold_payment")
            let slot = try await clinic.slot(capacity: 1)
            let answer = try await clinic.booked(slot)
            let booking = try #require(answer.booking)
            #expect(booking.status == .pendingPayment)
            #expect(booking.paymentStatus == .pending)
            #expect(booking.total == 50_000)
            #expect(answer.qrToken == nil)
            #expect(await refusal { _ = try await clinic.place(slot) }.code == .capacityExceeded)
            try await clinic.lapse()
            _ = try await clinic.place(slot)
            #expect(
                try await clinic.fixture.text(
                    "select status || '/' || payment_status from booking") == "expired/pending")
            #expect(
                try await clinic.fixture.text(
                    "select string_agg(action, ' ' order by version) from booking_history")
                    == "created expired")
            let topics = try await clinic.fixture.events().map(\.topic)
            #expect(topics.contains("booking.expired"))
            try await clinic.sweep()
        }

        @Test(
            "E-20, X-83: at the desk, free, or not required: confirmed at once",
            arguments: [
                ("at_desk", 50_000, "confirmed/pending"), ("at_desk", 0, "confirmed/not_required"),
                ("online", 0, "confirmed/not_required"),
                ("not_required", 50_000, "confirmed/not_required"),
                ("manual", 50_000, "pending_payment/pending"),
            ])
        func atOnce(_ payment: String, _ price: Int, _ expected: String) async throws {
            let clinic = try await Clinic(
                "hold_free_\(payment)_\(price)", price: price, payment: payment)
            let slot = try await clinic.slot(capacity: 1)
            let answer = try await clinic.booked(slot)
            #expect((answer.qrToken != nil) == expected.hasPrefix("confirmed"))
            #expect(
                try await clinic.fixture.text(
                    "select status || '/' || payment_status from booking") == expected)
            try await clinic.sweep()
        }

        @Test(
            "X-07, X-103: the snapshot of the policy and the person are kept; events have no person"
        )
        func kept() async throws {
            let clinic = try await Clinic("hold_kept")
            let slot = try await clinic.slot(capacity: 5)
            let placed = try await clinic.place(slot, 2)
            let answer = try await clinic.confirm(placed, email: "Citra@Example.com", key: "k")
            let again = try await clinic.confirm(placed, email: "Citra@Example.com", key: "k")
            #expect(again == answer, "the same answer, tokens included")
            #expect(
                try await clinic.fixture.text(
                    """
                    select concat_ws('|', b.quantity, b.total, b.kind, c.full_name, c.subject_name,
                        b.notes, b.policy ->> 'payment',
                        b.policy #>> '{cancellation,tiers,0,refund_percent}')
                    from booking b join contact c on c.booking_id = b.id
                    """)
                    == "2|100000|appointment|Citra Lestari|Mochi|limps on the left|online|90")
            for event in try await clinic.fixture.events() {
                #expect(!event.body.contains("Citra") && !event.body.contains("Mochi"))
                _ = try Event(event.body)
            }
            let second = try await clinic.place(slot)
            let twice = await refusal {
                _ = try await clinic.confirm(second, email: "citra@example.com")
            }
            #expect(twice.code == .slotAlreadyBookedByUser)
            try await clinic.sweep()
        }

        @Test("one holder has five live holds at most, over all slots, however fast he asks")
        func holderLimit() async throws {
            let clinic = try await Clinic("hold_limit", poolSize: 16)
            var slots: [SlotPlan] = []
            for hour in 0..<20 { slots.append(try await clinic.slot(capacity: 2, hour: hour)) }
            let others = Clinic(beside: clinic)
            let outcomes = await allAtOnce(20) { [slots] index in
                let desk = index % 2 == 0 ? clinic : others
                return try await desk.place(slots[index], holder: "greedy")
            }
            #expect(outcomes.count { $0.value != nil } == 5)
            #expect(Set(outcomes.compactMap(\.refusal).map(\.code)) == [.holdLimitReached])
            try await clinic.lapse()
            _ = try await clinic.place(slots[0], holder: "greedy")
            try await clinic.sweep()
        }

        @Test("X-15, X-93: the first seat claims the resources; a dead hold's claim gives way")
        func claims() async throws {
            let clinic = try await Clinic("hold_claims")
            let fixture = clinic.fixture
            let lesson = SlotPlan(.random(), .random(), capacity: 2)
            let rival = SlotPlan(lesson.instructor, .random(), minute: 30)
            try await fixture.publish([lesson, rival])
            _ = try await clinic.place(lesson)
            _ = try await clinic.place(lesson)
            #expect(try await fixture.claims(lesson) == 2)
            let error = await refusal { _ = try await clinic.place(rival) }
            #expect(error.code == .scheduleConflict)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.conflicts.compactMap(\.slotId) == [lesson.id.description])
            try await clinic.sweep()
            try await clinic.lapse()
            _ = try await clinic.place(rival)
            #expect(try await fixture.claims(lesson) == 0)
            #expect(try await fixture.claims(rival) == 2)
            #expect(try await fixture.taken(lesson) == 0)
            try await clinic.sweep()
        }

        @Test("X-53: who is refused a seat does not hear whose booking is in the way; staff does")
        func discretion() async throws {
            let clinic = try await Clinic("hold_discretion")
            let fixture = clinic.fixture
            let lesson = SlotPlan(.random(), .random(), capacity: 2)
            let rival = SlotPlan(lesson.instructor, .random(), minute: 30)
            try await fixture.publish([lesson, rival])
            let booking = try await clinic.booked(lesson).booking
            let error = await refusal { _ = try await clinic.place(rival) }
            let told = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(told.conflicts.map(\.resource?.id) == [lesson.instructor.description])
            #expect(told.conflicts.allSatisfy { $0.bookingId == nil && $0.reason.isEmpty })
            let waiting = try await fixture.confirmed(rival)
            let staff = await refusal { try await fixture.assign(waiting, rival) }
            let shown = try #require(try staff.detail(BookingV1.ConflictDetails.self))
            #expect(shown.conflicts.map(\.bookingId) == [booking?.id])
        }

        @Test("the sweeper tells what has lapsed, and frees claims")
        func sweeper() async throws {
            let clinic = try await Clinic("hold_sweeper")
            let fixture = clinic.fixture
            let group = try await clinic.slot(capacity: 5)
            let lesson = SlotPlan(.random(), .random(), hour: 11)
            try await fixture.publish([lesson])
            _ = try await clinic.place(group, 2)
            _ = try await clinic.booked(group)
            _ = try await clinic.place(lesson)
            let sweeper = SeatSweeper(
                pool: fixture.pool, loop: Fixture.loop, logger: .init(label: "test"),
                committed: {})
            #expect(try await sweeper.round() == 0)
            try await clinic.lapse()
            let last = try await fixture.lastEvent()
            #expect(try await sweeper.round() == 2)
            #expect(try await sweeper.round() == 0)
            #expect(try await fixture.taken(group) == 0)
            #expect(try await fixture.claims(lesson) == 0)
            let topics = try await fixture.events(after: last).map(\.topic)
            #expect(topics.count { $0 == "availability.updated" } == 2)
            #expect(topics.count { $0 == "booking.expired" } == 1)
            try await clinic.sweep()
        }

        @Test("a slot of the school's policy is not held; notice and window are kept")
        func policy() async throws {
            let clinic = try await Clinic("hold_policy")
            let slot = try await clinic.slot(capacity: 1, day: 2)
            func set(_ sql: SQL) async throws {
                try await clinic.fixture.pool.execute(
                    "update policy set \(sql) where code = 'clinic'")
            }
            try await set("notice_seconds = 3 * 86400")
            #expect(
                await refusal { _ = try await clinic.place(slot) }.code == .outsideBookingWindow)
            try await set("notice_seconds = 0, window_seconds = 3600")
            #expect(
                await refusal { _ = try await clinic.place(slot) }.code == .outsideBookingWindow)
            try await set("window_seconds = null")
            try await clinic.fixture.pool.execute("update offering set policy = 'school'")
            #expect(await refusal { _ = try await clinic.place(slot) }.code == .slotUnavailable)
            try await clinic.fixture.pool.execute("update offering set policy = 'clinic'")
            _ = try await clinic.place(slot)
        }

        @Test("X-83: the table of legal states is the one of the rules")
        func states() async throws {
            let fixture = try await Fixture("hold_states")
            let rows = try await fixture.pool.query(
                "select status || '/' || payment_status from booking_state")
            let legal = BookingState.legal.flatMap { status, payments in
                payments.map { "\(status.rawValue)/\($0.rawValue)" }
            }
            #expect(Set(try rows.map { try $0[0] as String }) == Set(legal))
        }
    }
}

extension Clinic {
    /// Another process on the same database.
    init(beside other: Clinic) {
        fixture = other.fixture
        holds = HoldService(
            pool: fixture.pool, clock: .system, tokens: tokens, committed: {})
        appointments = other.appointments
    }
}
