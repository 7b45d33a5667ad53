import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    /// No sweeper runs: what is offered was offered by the call that freed the resource.
    @Suite(
        "A resource that is freed goes to those who wait for another slot of it", .serialized,
        .timeLimit(.minutes(2)))
    struct FreedLinesTests {
        /// A lesson that is booked, and one that cannot be while it is, with somebody in line.
        private struct Rivals {
            let line: Line
            let booked: BookingV1.ConfirmHoldResponse
            let lesson: SlotPlan
            let rival: SlotPlan
            let waiting: BookingV1.JoinWaitlistResponse

            var fixture: Fixture { line.clinic.fixture }

            init(_ name: String) async throws {
                line = try await Line(name, payment: "at_desk")
                lesson = SlotPlan(.random(), .random(), hour: 13)
                rival = SlotPlan(lesson.instructor, .random(), hour: 13, minute: 30)
                try await line.clinic.fixture.publish([lesson, rival])
                booked = try await line.clinic.confirm(try await line.clinic.place(lesson))
                waiting = try await line.join(rival)
                #expect(try await line.status(waiting) == .waiting)
            }

            func expectOffered(_ location: SourceLocation = #_sourceLocation) async throws {
                #expect(try await line.status(waiting) == .offered, sourceLocation: location)
                #expect(try await fixture.claims(rival) == 2, sourceLocation: location)
                #expect(
                    try await line.story(waiting) == ["joined", "offered"],
                    sourceLocation: location)
                try await line.sweep(location)
            }
        }

        @Test("the other slot's booking is cancelled")
        func cancelled() async throws {
            let rivals = try await Rivals("freed_cancel")
            try await rivals.line.cancel(rivals.booked)
            try await rivals.expectOffered()
        }

        @Test("the other slot's booking moves to another time, and back it cannot")
        func moved() async throws {
            let rivals = try await Rivals("freed_move")
            let later = SlotPlan(rivals.lesson.instructor, .random(), hour: 20)
            try await rivals.fixture.publish([later])
            var request = BookingV1.RescheduleRequest()
            request.bookingId = try #require(rivals.booked.booking?.id)
            request.scheduleId = later.id.description
            let moved = try await rivals.line.clinic.appointments.reschedule(
                request, Fixture.admin(BookingV1.AppointmentsMethods.reschedule))
            try await rivals.expectOffered()
            request.bookingId = try #require(moved.booking?.id)
            request.scheduleId = rivals.lesson.id.description
            let back = await refusal {
                _ = try await rivals.line.clinic.appointments.reschedule(
                    request, Fixture.admin(BookingV1.AppointmentsMethods.reschedule))
            }
            #expect(back.code == .scheduleConflict)
        }

        @Test("the other slot is withdrawn")
        func withdrawn() async throws {
            let rivals = try await Rivals("freed_withdraw")
            var request = BookingV1.WithdrawSlotRequest()
            (request.slotId, request.force) = (rivals.lesson.id.description, true)
            _ = try await rivals.fixture.catalogue.withdrawSlot(
                request, Fixture.admin(BookingV1.CatalogueMethods.withdrawSlot))
            #expect(try await rivals.line.status(rivals.waiting) == .offered)
            #expect(try await rivals.fixture.claims(rivals.rival) == 2)
        }

        @Test("a block is lifted: the first of its slots gets it, the others wait on")
        func unblocked() async throws {
            let line = try await Line("freed_block")
            let fixture = line.clinic.fixture
            let field = UUID.random()
            let slots = [0, 30, 75].map {
                SlotPlan(.random(), field, hour: 9, minute: $0, capacity: 3)
            }
            try await fixture.publish(slots)
            let block = try await fixture.blocking(
                field, slots[0].start, slots[2].end)
            var waiting: [BookingV1.JoinWaitlistResponse] = []
            for slot in slots { waiting.append(try await line.join(slot)) }
            var unblock = BookingV1.UnblockResourceRequest()
            unblock.blockId = block.id
            _ = try await fixture.catalogue.unblockResource(
                unblock, Fixture.admin(BookingV1.CatalogueMethods.unblockResource))
            let statuses = [
                try await line.status(waiting[0]), try await line.status(waiting[1]),
                try await line.status(waiting[2]),
            ]
            #expect(statuses == [.offered, .waiting, .offered])
            try await line.sweep()
            // Its line goes on as soon as the first gives it up.
            try await line.leave(waiting[0].token)
            #expect(try await line.status(waiting[1]) == .waiting, "the third's time overlaps")
            try await line.leave(waiting[2].token)
            #expect(try await line.status(waiting[1]) == .offered)
            try await line.sweep()
        }

        @Test("several are freed while others join: who waited first is offered each")
        func race() async throws {
            let line = try await Line("freed_race", poolSize: 24, payment: "at_desk")
            let fixture = line.clinic.fixture
            let people = (0..<6).map { _ in UUID.random() }
            let lessons = people.map { SlotPlan($0, .random(), hour: 13) }
            let rivals = people.map { SlotPlan($0, .random(), hour: 13, minute: 15) }
            try await fixture.publish(lessons + rivals)
            var booked: [BookingV1.ConfirmHoldResponse] = []
            for lesson in lessons {
                booked.append(try await line.clinic.confirm(try await line.clinic.place(lesson)))
            }
            for rival in rivals { _ = try await line.join(rival) }
            let outcomes = await allAtOnce(18) { [booked] index in
                if index % 3 == 0 {
                    try await line.cancel(booked[index / 3])
                } else {
                    _ = try await line.join(rivals[index / 3])
                }
            }
            #expect(outcomes.allSatisfy { $0.refusal?.code == .seatsAvailable || $0.value != nil })
            #expect(
                try await fixture.number(
                    "select count(*) from waitlist_entry where status = 'offered'") == 6)
            #expect(try await fixture.number(AssignRaceTests.overlaps) == 0)
            try await line.sweep()
        }
    }
}
