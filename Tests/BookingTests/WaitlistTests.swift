import Crypto
import Domain
import Environment
import Postgres
import RPC
import Schema
import Telemetry
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(3))) struct WaitlistTests {
        @Test("join: a place in the line of a full slot; only the hash of the token is kept")
        func join() async throws {
            let line = try await Line("waitlist_join")
            let slot = try await line.clinic.slot(capacity: 2)
            let tooEarly = await refusal { _ = try await line.join(slot) }
            #expect(tooEarly.code == .seatsAvailable)
            _ = try await line.clinic.place(slot, 2)
            let outcomes = await allAtOnce(8) { index in
                try await line.join(slot, email: "Same@Example.com", key: "key \(index / 7)")
            }
            let answers = outcomes.compactMap(\.value)
            #expect(Set(answers).count == 1, "one e-mail, one entry")
            #expect(
                Set(outcomes.compactMap(\.refusal).map(\.code)).subtracting([.alreadyWaiting])
                    .isEmpty)
            let first = try #require(answers.first)
            #expect(first.entry?.place == 1)
            #expect(first.entry?.status == .waiting)
            let second = try await line.join(slot)
            #expect(second.entry?.place == 2)
            #expect(try await line.look(second.token).entry == second.entry)
            #expect(second.token.utf8.count == 64, "an id and 256 bits")
            let id = try #require(second.entry.flatMap { UUID($0.id) })
            let hash: [UInt8] = try await line.clinic.fixture.pool.query(
                "select token_hash from waitlist_entry where id = \(id)"
            ).single()[0]
            #expect(hash == SHA256.hash(Array(second.token.utf8)))
            let leaks: SQL = """
                select (select count(*) from outbox where body like '%xample.com%'
                        or position(\(second.token)::text in body) > 0)
                    + (select count(*) from idempotency_key
                        where position(convert_to(\(second.token), 'UTF8') in response) > 0)
                """
            #expect(try await line.clinic.fixture.number(leaks) == 0)
            try await line.sweep()
        }

        @Test("join: bad input, wrong tokens and every limit are refused, and change nothing")
        func refused() async throws {
            let line = try await Line("waitlist_refused")
            let slot = try await line.clinic.slot(capacity: 2)
            _ = try await line.clinic.place(slot, 2)
            func code(
                _ quantity: Int32 = 1,
                _ change: (inout BookingV1.JoinWaitlistRequest) -> Void = { _ in }
            ) async -> DomainError.Code {
                await refusal { _ = try await line.join(slot, quantity, change) }.code
            }
            #expect(await code(3) == .validationFailed, "the slot never has three")
            #expect(await code(-1) == .validationFailed)
            #expect(await code { $0.email = "no address" } == .validationFailed)
            #expect(
                await code { $0.fullName = String(repeating: "x", count: 201) }
                    == .validationFailed)
            #expect(await code { $0.slotId = "x" } == .validationFailed)
            #expect(await code { $0.idempotencyKey = "" } == .validationFailed)
            #expect(await code { $0.slotId = UUID.random().description } == .slotNotFound)
            #expect(await code { $0.consent = false } == .consentRequired)
            try await line.clinic.fixture.pool.execute(
                "update policy set waitlist_limit = 1 where code = 'clinic'")
            let joined = try await line.join(slot, key: "used")
            #expect(await code { $0.idempotencyKey = "used" } == .idempotencyKeyReused)
            #expect(await code() == .waitlistLimitReached)
            var forged = Array(joined.token.utf8)
            forged[40] = forged[40] == 65 ? 66 : 65
            let wrong = [
                String(decoding: forged, as: UTF8.self), "", "x", String(repeating: "A", count: 64),
                String(repeating: "A", count: 100_000),
            ]
            for token in wrong {
                for call in [
                    { _ = try await line.look(token) }, { _ = try await line.leave(token) },
                    { _ = try await line.claim(token) },
                ] as [() async throws -> Void] {
                    #expect(await refusal(of: call).code == .waitlistEntryNotFound)
                }
            }
            let early = await refusal { try await line.claim(joined.token) }
            #expect(early.code == .invalidTransition)
            try await line.clinic.fixture.pool.execute(
                "update policy set waitlist_limit = 50, entry = 'request' where code = 'clinic'")
            #expect(await code() == .slotUnavailable)
            #expect(
                try await line.clinic.fixture.number("select count(*) from waitlist_entry") == 1)
            try await line.sweep()
        }

        @Test("one person waits for five slots at most, however many calls run at once")
        func personLimit() async throws {
            let line = try await Line("waitlist_person", poolSize: 12)
            var slots: [SlotPlan] = []
            for day in 1...8 {
                let slot = try await line.clinic.slot(capacity: 1, day: day)
                _ = try await line.clinic.place(slot)
                slots.append(slot)
            }
            let all = slots
            let outcomes = await allAtOnce(8) { index in
                (index, try await line.join(all[index], email: "one@example.com"))
            }
            let joined = outcomes.compactMap(\.value)
            #expect(joined.count == 5)
            #expect(
                Set(outcomes.compactMap(\.refusal).map(\.code)) == [.waitlistLimitReached])
            try await line.leave(try #require(joined.first).1.token)
            let free = try #require(
                all.indices.first { index in !joined.contains { $0.0 == index } })
            _ = try await line.join(all[free], email: "one@example.com")
            try await line.sweep()
        }

        @Test("a freed seat is the first one's in the transaction that frees it, and nobody else's")
        func offer() async throws {
            let line = try await Line("waitlist_offer", payment: "at_desk")
            let slot = try await line.clinic.slot(capacity: 1)
            let booked = try await line.clinic.booked(slot)
            let first = try await line.join(slot)
            let second = try await line.join(slot)
            let before = try await line.clinic.fixture.lastEvent()
            try await line.cancel(booked)
            #expect(try await line.status(first) == .offered)
            #expect(try await line.status(second) == .waiting)
            #expect(try await line.look(second.token).entry?.place == 1)
            #expect(try await line.seen(slot) == 0)
            let topics = try await line.clinic.fixture.events(after: before).map(\.topic)
            #expect(topics.contains("waitlist.updated"))
            #expect(!topics.contains("availability.updated"), "the street has nothing to see")
            #expect(try await line.clinic.fixture.find().slots.isEmpty)
            let street = await refusal { _ = try await line.clinic.place(slot) }
            #expect(street.code == .capacityExceeded)
            let sight = try await line.look(first.token)
            #expect(sight.holdToken == nil, "nothing to confirm by before the claim")
            #expect(sight.entry?.offerExpiresAt != nil)
            try await line.sweep()
            // The claim is a hold like any other; again is the same one.
            let claimed = try await line.claim(first.token, key: "claim")
            #expect(try await line.claim(first.token, key: "claim") == claimed)
            #expect(try await line.claim(first.token) == claimed)
            #expect(try await line.look(first.token).holdToken == claimed.holdToken)
            var placed = BookingV1.PlaceHoldResponse()
            (placed.hold, placed.token) = (claimed.hold, claimed.holdToken)
            #expect(try await line.clinic.extend(placed).extensionsLeft == 0)
            let answer = try await line.clinic.confirm(placed)
            #expect(answer.booking?.status == .confirmed)
            let late = await refusal { try await line.claim(first.token) }
            #expect(late.code == .invalidTransition)
            let gone = await refusal { _ = try await line.leave(first.token) }
            #expect(gone.code == .invalidTransition)
            #expect(try await line.story(first) == ["joined", "offered", "claimed"])
            #expect(try await line.clinic.fixture.taken(slot) == 1)
            try await line.sweep()
        }

        @Test(
            "every way in which seats become free serves the line",
            arguments: [
                "release", "hold lapses", "unpaid", "reschedule", "capacity", "reopen", "left",
            ])
        func ways(_ way: String) async throws {
            let line = try await Line("waitlist_way_\(way.filter(\.isLetter))")
            let (clinic, fixture) = (line.clinic, line.clinic.fixture)
            let slot = try await clinic.slot(capacity: 1)
            let other = try await clinic.slot(capacity: 1, hour: 12)
            let placed = try await clinic.place(slot)
            let first = try await line.join(slot)
            switch way {
            case "release": try await clinic.release(placed)
            case "hold lapses":
                try await clinic.lapse()
                let street = await refusal { _ = try await clinic.place(slot) }
                #expect(street.code == .capacityExceeded, "without any sweeper")
            case "unpaid":
                _ = try await clinic.confirm(placed)
                try await clinic.lapse()
                try await line.sweepAll()
            case "reschedule":
                try await fixture.pool.execute("update policy set payment = 'at_desk'")
                let booked = try await clinic.confirm(placed)
                var request = BookingV1.RescheduleByManageTokenRequest()
                (request.token, request.scheduleId) = (booked.manageToken, other.id.description)
                _ = try await clinic.appointments.rescheduleByManageToken(
                    request,
                    ServerContext(
                        method: BookingV1.AppointmentsMethods.rescheduleByManageToken))
            case "capacity":
                let after = try await fixture.update(slot) { $0.capacity = 2 }
                #expect(after.slotsRemaining == 0)
            case "reopen":
                _ = try await fixture.update(slot) { $0.status = .maintenance }
                try await clinic.release(placed)
                #expect(try await line.status(first) == .waiting, "not while it is closed")
                _ = try await fixture.update(slot) { $0.status = .available }
            default:
                let second = try await line.join(slot)
                try await clinic.release(placed)
                try await line.leave(first.token)
                #expect(try await line.leave(first.token)?.status == .left, "twice is once")
                #expect(try await line.status(second) == .offered)
                try await line.sweep()
                return
            }
            #expect(try await line.status(first) == .offered)
            #expect(try await line.seen(slot) == 0)
            try await line.sweep()
            _ = try await line.book(first.token)
            try await line.sweep()
        }

        @Test("a private lesson: the offer keeps the claims of the resources")
        func claims() async throws {
            let line = try await Line("waitlist_claims")
            let lesson = SlotPlan(.random(), .random(), hour: 13)
            let rival = SlotPlan(lesson.instructor, .random(), hour: 13)
            try await line.clinic.fixture.publish([lesson, rival])
            let placed = try await line.clinic.place(lesson)
            // Not full, but its instructor is taken: that can be waited for as well.
            let blocked = try await line.join(rival)
            let first = try await line.join(lesson)
            try await line.clinic.release(placed)
            #expect(try await line.status(first) == .offered)
            #expect(try await line.clinic.fixture.claims(lesson) == 2)
            #expect(try await line.status(blocked) == .waiting)
            try await line.sweep()
            // Nobody else wants the lesson: its instructor is free for the rival's line, and no
            // sweeper runs.
            try await line.leave(first.token)
            #expect(try await line.clinic.fixture.claims(lesson) == 0)
            #expect(try await line.status(blocked) == .offered)
            #expect(try await line.clinic.fixture.claims(rival) == 2)
            let street = await refusal { _ = try await line.clinic.place(rival) }
            #expect(street.code == .capacityExceeded, "the line comes first")
            try await line.sweep()
        }

        @Test("an offer that is not claimed goes to the next, by whoever comes or by the sweeper")
        func lapse() async throws {
            let line = try await Line("waitlist_lapse")
            let slot = try await line.clinic.slot(capacity: 1)
            let placed = try await line.clinic.place(slot)
            var joined: [BookingV1.JoinWaitlistResponse] = []
            for _ in 0..<3 { joined.append(try await line.join(slot)) }
            try await line.clinic.release(placed)
            try await line.lapse(joined[0])
            #expect(try await line.status(joined[0]) == .lapsed, "told before it is written")
            #expect(try await line.seen(slot) == 0, "still the line's")
            let late = await refusal { try await line.claim(joined[0].token) }
            #expect(late.code == .offerExpired)
            // Somebody from the street finds the next in line served.
            _ = await refusal { _ = try await line.clinic.place(slot) }
            #expect(try await line.status(joined[1]) == .offered)
            try await line.lapse(joined[1])
            try await line.sweepAll()
            #expect(try await line.status(joined[2]) == .offered)
            #expect(try await line.story(joined[1]) == ["joined", "offered", "lapsed"])
            try await line.sweep()
            try await line.lapse(joined[2])
            #expect(try await line.seen(slot) == 1, "nobody waits any more")
            _ = try await line.clinic.place(slot)
            try await line.sweep()
            let again = await refusal { try await line.claim(joined[2].token) }
            #expect(again.code == .offerExpired)
        }

        @Test("a large party keeps its place and does not stop those behind it")
        func parties() async throws {
            let line = try await Line("waitlist_parties")
            let slot = try await line.clinic.slot(capacity: 4)
            var seats: [BookingV1.PlaceHoldResponse] = []
            for _ in 0..<4 { seats.append(try await line.clinic.place(slot)) }
            let three = try await line.join(slot, 3)
            let one = try await line.join(slot)
            let two = try await line.join(slot, 2)
            try await line.clinic.release(seats[0])
            #expect(try await line.status(three) == .waiting)
            #expect(try await line.status(one) == .offered)
            try await line.clinic.release(seats[1])
            #expect(try await line.seen(slot) == 1, "a seat that nobody in line can use")
            let street = try await line.clinic.place(slot)
            try await line.clinic.release(street)
            try await line.sweep()
            _ = try await line.clinic.fixture.update(slot) { $0.capacity = 6 }
            #expect(try await line.status(three) == .offered, "three are free: it is the first")
            #expect(try await line.status(two) == .waiting)
            try await line.sweep()
        }

        @Test("lines of slots that are withdrawn or can no longer be booked end")
        func ends() async throws {
            let line = try await Line("waitlist_ends")
            let (clinic, fixture) = (line.clinic, line.clinic.fixture)
            let slot = try await clinic.slot(capacity: 1)
            let placed = try await clinic.place(slot)
            let offered = try await line.join(slot)
            let waiting = try await line.join(slot)
            try await clinic.release(placed)
            var request = BookingV1.WithdrawSlotRequest()
            request.slotId = slot.id.description
            _ = try await fixture.catalogue.withdrawSlot(
                request, Fixture.admin(BookingV1.CatalogueMethods.withdrawSlot))
            #expect(try await line.status(offered) == .ended)
            #expect(try await line.status(waiting) == .ended)
            #expect(try await fixture.taken(slot) == 0)
            try await line.sweep()
            let soon = try await clinic.slot(capacity: 1, hour: 12)
            _ = try await clinic.place(soon)
            let late = try await line.join(soon)
            try await fixture.pool.execute(
                "update policy set notice_seconds = 400000 where code = 'clinic'")
            #expect(try await line.status(late) == .ended, "told before it is written")
            try await line.sweepAll()
            #expect(try await line.story(late) == ["joined", "ended"])
            #expect(try await fixture.number("select count(*) from waitlist_contact") == 0)
            try await line.sweep()
        }

        @Test("entries that ended are forgotten after 400 days, what came of them is not")
        func forgotten() async throws {
            let line = try await Line("waitlist_forgotten", payment: "at_desk")
            let (clinic, pool) = (line.clinic, line.clinic.fixture.pool)
            let slot = try await clinic.slot(capacity: 1)
            let placed = try await clinic.place(slot)
            let booked = try await line.join(slot)
            let claimed = try await line.join(slot)
            let gone = try await line.join(slot)
            let lately = try await line.join(slot)
            let waiting = try await line.join(slot)
            try await clinic.release(placed)
            let booking = try await line.book(booked.token)
            try await line.cancel(booking)
            _ = try await line.claim(claimed.token)
            for entry in [gone, lately] { try await line.leave(entry.token) }
            try await pool.execute(
                """
                update waitlist_entry set changed_at = changed_at - interval '401 days'
                where id <> \(try #require(lately.entry.flatMap { UUID($0.id) }))
                """)
            let sweeper = ExpirySweeper(
                pool: pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: .discarding), committed: {})
            #expect(try await sweeper.forgetEntries() == 2)
            for entry in [booked, gone] {
                let error = await refusal { _ = try await line.look(entry.token) }
                #expect(error.code == .waitlistEntryNotFound)
            }
            for (entry, status) in [
                (claimed, BookingV1.WaitlistStatus.claimed), (lately, .left), (waiting, .waiting),
            ] {
                #expect(try await line.status(entry) == status)
            }
            let bookings = try await line.clinic.fixture.number(
                """
                select count(*) from booking b join hold h on h.id = b.hold_id
                where h.entry_id is null
                """)
            #expect(bookings == 1)
            #expect(try await sweeper.forgetEntries() == 0)
            try await line.sweep()
        }

        @Test("staff see the line with its persons; the street sees full slots that have one")
        func lists() async throws {
            let line = try await Line("waitlist_lists")
            let slot = try await line.clinic.slot(capacity: 1)
            _ = try await line.clinic.slot(capacity: 1, hour: 12)
            let placed = try await line.clinic.place(slot)
            let first = try await line.join(slot, email: "a@example.com")
            let second = try await line.join(slot, email: "b@example.com")
            try await line.clinic.release(placed)
            var request = BookingV1.ListWaitlistRequest()
            request.slotId = slot.id.description
            let people = try await line.waitlists.listWaitlist(
                request, Fixture.admin(BookingV1.WaitlistsMethods.listWaitlist)
            ).people
            #expect(people.map(\.entry?.id) == [first.entry?.id, second.entry?.id])
            #expect(people.map(\.email) == ["a@example.com", "b@example.com"])
            #expect(people.map(\.entry?.place) == [0, 1])
            #expect(people[0].entry?.offerExpiresAt != nil)
            var full = BookingV1.ListFullSlotsRequest()
            full.courseId = "CHOIR-1"
            let slots = try await line.waitlists.listFullSlots(
                full, ServerContext(method: BookingV1.WaitlistsMethods.listFullSlots)
            ).slots
            #expect(slots.map(\.id) == [slot.id.description])
        }
    }
}
