import Domain
import Environment
import Postgres
import RPC
import Schema
import Synchronization
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Withdrawn slots", .serialized, .timeLimit(.minutes(3))) struct WithdrawalTests {
        @Test("a held seat keeps a slot; forced, it is released and never becomes a booking")
        func held() async throws {
            let clinic = try await Clinic("withdrawal_held")
            let fixture = clinic.fixture
            let lesson = SlotPlan(.random(), .random(), capacity: 4)
            let rival = SlotPlan(lesson.instructor, .random(), minute: 30)
            try await fixture.publish([lesson, rival])
            let placed = try await clinic.place(lesson, 2)
            #expect(
                await refusal { _ = try await fixture.withdraw(lesson) }.code
                    == .invalidTransition)
            let booked = try await clinic.confirm(try await clinic.place(lesson), key: "booked")
            let answer = try await fixture.withdraw(lesson, force: true)
            #expect(answer.bookingIds == [try #require(booked.booking?.id)])
            #expect(try await fixture.taken(lesson) == 1)
            #expect(try await fixture.claims(lesson) == 0)
            #expect(
                try await fixture.text(
                    "select string_agg(status, ' ' order by status) from hold")
                    == "confirmed released")
            let told = await refusal { _ = try await clinic.confirm(placed) }
            #expect(told.code == .slotUnavailable)
            var forged = placed
            forged.token = "x"
            #expect(
                await refusal { _ = try await clinic.confirm(forged) }.code
                    == .holdTokenMismatch)
            #expect(await refusal { _ = try await clinic.extend(placed) }.code == .holdExpired)
            #expect(await refusal { _ = try await clinic.place(lesson) }.code == .slotUnavailable)
            // Nobody is in the way of the other lesson any more.
            _ = try await clinic.booked(rival)
            try await clinic.sweep()
        }

        @Test("a hold whose time is over keeps no slot")
        func lapsed() async throws {
            let clinic = try await Clinic("withdrawal_lapsed")
            let slot = try await clinic.slot(capacity: 2)
            _ = try await clinic.place(slot)
            _ = try await clinic.booked(slot)
            try await clinic.lapse()
            #expect(try await clinic.fixture.withdraw(slot).bookingIds.isEmpty)
            #expect(try await clinic.fixture.taken(slot) == 0)
            try await clinic.sweep()
        }

        @Test("seats of the line are given back once: offered, claimed, or held from the street")
        func line() async throws {
            let line = try await Line("withdrawal_line")
            let (clinic, fixture) = (line.clinic, line.clinic.fixture)
            let slot = try await clinic.slot(capacity: 3)
            var placed: [BookingV1.PlaceHoldResponse] = []
            for _ in 0..<3 { placed.append(try await clinic.place(slot)) }
            let joined = [try await line.join(slot), try await line.join(slot)]
            for hold in placed.prefix(2) { try await clinic.release(hold) }
            try await line.claim(joined[0].token)
            #expect(try await line.status(joined[1]) == .offered)
            #expect(
                await refusal { _ = try await fixture.withdraw(slot) }.code == .invalidTransition)
            _ = try await fixture.withdraw(slot, force: true)
            #expect(try await fixture.taken(slot) == 0)
            #expect(try await line.status(joined[1]) == .ended)
            #expect(
                try await fixture.number(
                    "select count(*) from hold where status = 'released'") == 5)
            try await line.sweep()
        }

        @Test("nobody is asked to pay for a withdrawn slot; what comes nevertheless is kept")
        func unpaid() async throws {
            let stage = try await PaymentStage("withdrawn")
            let (booking, open) = (try await stage.booking(), try await stage.booking())
            let payment = try await stage.create(open)
            let answer = try await stage.fixture.withdraw(stage.slot, force: true)
            #expect(Set(answer.bookingIds) == [booking.description, open.description])
            for one in [booking, open] {
                #expect(await refusal { _ = try await stage.create(one) }.code == .slotUnavailable)
                var proof = PaymentV1.SubmitProofRequest()
                proof.bookingId = one.description
                proof.manageToken = PaymentStage.tokens.manage(one)
                proof.proofId = UUID.random().description
                let request = proof
                let refused = await refusal {
                    _ = try await stage.service.submitProof(
                        request, ServerContext(method: PaymentV1.PaymentsMethods.submitProof))
                }
                #expect(refused.code == .slotUnavailable)
            }
            // Its page was open before: what to do with it is for those who were told.
            try await stage.pay(payment)
            #expect(try await stage.state(open) == "confirmed paid")
            try await stage.fixture.check(KernelInvariants.withdrawals)
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("holds are confirmed while their slot is withdrawn: a booking that is left was named")
        func race() async throws {
            let clinic = try await Clinic("withdrawal_race", poolSize: 16, payment: "at_desk")
            let fixture = clinic.fixture
            for round in 0..<6 {
                let lesson = SlotPlan(.random(), .random(), hour: round, capacity: 6)
                let rival = SlotPlan(lesson.instructor, .random(), hour: round, minute: 30)
                try await fixture.publish([lesson, rival])
                let placed = try await seats(6, clinic, lesson)
                let named = Mutex<[String]?>(nil)
                // Somewhere among the others.
                let outcomes = await allAtOnce(7) { index -> String? in
                    if index == round {
                        let ids = try await fixture.withdraw(lesson, force: true).bookingIds
                        named.withLock { $0 = ids }
                        return nil
                    }
                    let hold = placed[index < round ? index : index - 1]
                    return try await clinic.confirm(hold).booking?.id
                }
                let told = try #require(named.withLock { $0 })
                #expect(Set(told) == Set(outcomes.compactMap { $0.value ?? nil }))
                let refused = outcomes.compactMap(\.refusal)
                #expect(told.count + refused.count == 6)
                #expect(refused.allSatisfy { $0.code == .slotUnavailable })
                #expect(try await fixture.taken(lesson) == told.count)
                _ = try await clinic.place(rival)
                try await clinic.sweep()
            }
        }

        private func seats(
            _ count: Int, _ clinic: Clinic, _ slot: SlotPlan
        ) async throws -> [BookingV1.PlaceHoldResponse] {
            var placed: [BookingV1.PlaceHoldResponse] = []
            for _ in 0..<count { placed.append(try await clinic.place(slot)) }
            return placed
        }
    }
}

extension Fixture {
    @discardableResult
    func withdraw(
        _ slot: SlotPlan, force: Bool = false
    ) async throws -> BookingV1.WithdrawSlotResponse {
        var request = BookingV1.WithdrawSlotRequest()
        (request.slotId, request.force) = (slot.id.description, force)
        return try await catalogue.withdrawSlot(
            request, Self.admin(BookingV1.CatalogueMethods.withdrawSlot))
    }
}
