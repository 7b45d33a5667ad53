import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct ConflictTests {
        @Test("X-17: a conflict says what is in the way and the three nearest alternatives")
        func scheduleConflict() async throws {
            let fixture = try await Fixture("conflict")
            let (ani, room) = (UUID.random(), UUID.random())
            let busy = SlotPlan(ani, room, hour: 10)
            let wanted = SlotPlan(ani, .random(), hour: 10, minute: 30)
            // Nearest first: 2 h before, 3 h after, 5 h after; the day after is the fourth.
            let free = [(8, 1), (13, 1), (15, 1), (10, 2)].map {
                SlotPlan(.random(), .random(), day: $0.1, hour: $0.0, minute: 30)
            }
            // Nearer, and not free: same room at the busy time.
            let blocked = SlotPlan(.random(), room, hour: 10, minute: 15)
            try await fixture.publish([busy, wanted, blocked] + free)
            let holder = try await fixture.confirmed(busy)
            try await fixture.assign(holder, busy)
            let id = try await fixture.confirmed(wanted)
            let error = await refusal { try await fixture.assign(id, wanted) }
            #expect(error.code == .scheduleConflict)
            #expect(error.rpcError.code == .failedPrecondition)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.conflicts.count == 1)
            let conflict = try #require(details.conflicts.first)
            #expect(conflict.resource?.id == ani.description)
            #expect(conflict.resourceKind == "instructor")
            #expect(conflict.slotId == busy.id.description)
            #expect(conflict.bookingId == holder)
            #expect(conflict.startTime.map { Instant($0) } == busy.start)
            #expect(conflict.endTime.map { Instant($0) } == busy.end)
            #expect(details.alternatives.map(\.id) == free.prefix(3).map(\.id.description))
            #expect(try await fixture.taken(wanted) == 0)
            #expect(try await fixture.claims(wanted) == 0)
            #expect(try await fixture.number("select count(*) from booking_history") == 5)
        }

        @Test("A-21: back-to-back lessons of one instructor and room do not collide")
        func backToBack() async throws {
            let fixture = try await Fixture("back_to_back")
            let (ani, room) = (UUID.random(), UUID.random())
            let slots = (9...11).map { SlotPlan(ani, room, hour: $0) }
            try await fixture.publish(slots)
            for slot in slots {
                try await fixture.assign(try await fixture.confirmed(slot), slot)
            }
            #expect(try await fixture.number("select count(*) from claim") == 6)
        }

        @Test("X-14: a slot with seats shares one claim and is full at its capacity")
        func capacity() async throws {
            let fixture = try await Fixture("capacity")
            let slot = SlotPlan(.random(), .random(), capacity: 3)
            let other = SlotPlan(.random(), .random(), hour: 14)
            try await fixture.publish([slot, other])
            var ids: [String] = []
            for seat in 1...3 {
                let id = try await fixture.confirmed(slot)
                let answer = try await fixture.assign(id, slot)
                #expect(answer.slot?.slotsRemaining == Int32(3 - seat))
                #expect(try await fixture.claims(slot) == 2)
                ids.append(id)
            }
            let late = try await fixture.confirmed(slot)
            let error = await refusal { try await fixture.assign(late, slot) }
            #expect(error.code == .capacityExceeded)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.alternatives.map(\.id) == [other.id.description])
            try await fixture.cancel(ids[0])
            #expect(try await fixture.claims(slot) == 2, "two students are still there")
            try await fixture.assign(late, slot)
            for id in ids.dropFirst() + [late] { try await fixture.cancel(id) }
            #expect(try await fixture.taken(slot) == 0)
            #expect(try await fixture.claims(slot) == 0)
        }

        @Test("X-15: published group classes claim at once; a conflict publishes nothing")
        func publishPolicy() async throws {
            let fixture = try await Fixture("publish_policy")
            let (ani, room) = (UUID.random(), UUID.random())
            let lesson = SlotPlan(ani, room, hour: 10, capacity: 8)
            try await fixture.publish([lesson], of: fixture.choir)
            #expect(try await fixture.claims(lesson) == 2)
            let clash = SlotPlan(.random(), room, hour: 10, minute: 59, capacity: 8)
            let fine = SlotPlan(.random(), .random(), hour: 10, capacity: 8)
            let error = await refusal {
                try await fixture.publish([fine, clash], of: fixture.choir)
            }
            #expect(error.code == .scheduleConflict)
            let details = try #require(try error.detail(BookingV1.ConflictDetails.self))
            #expect(details.conflicts.map(\.slotId) == [lesson.id.description])
            #expect(details.conflicts.first?.resourceKind == "room")
            #expect(try await fixture.number("select count(*) from slot") == 1)
            // A private lesson may be offered at the same time, and cannot be assigned.
            let offer = SlotPlan(ani, .random(), hour: 10)
            try await fixture.publish([offer])
            let id = try await fixture.confirmed(offer)
            #expect(await refusal { try await fixture.assign(id, offer) }.code == .scheduleConflict)
            // Seats of the class come and go without touching its claim.
            var choice = form("a@example.com", fixture.choir, lesson.id)
            choice.secondChoiceSlotId = nil
            let student = try #require(try await fixture.register(choice).booking)
            try await fixture.confirm(student.id) { $0.scheduleId = lesson.id.description }
            try await fixture.cancel(student.id)
            #expect(try await fixture.claims(lesson) == 2)
            #expect(try await fixture.taken(lesson) == 0)
        }

        @Test("X-15, X-49: a published class tells the offers that it blocks, with newer versions")
        func publishTellsNeighbours() async throws {
            let fixture = try await Fixture("publish_neighbours")
            let (ani, room) = (UUID.random(), UUID.random())
            let offer = SlotPlan(ani, .random(), hour: 10)
            let later = SlotPlan(ani, .random(), hour: 11)
            try await fixture.publish([offer, later])
            let before = try #require(try await fixture.find().slots.first?.version)
            let seen = try await fixture.lastEvent()
            let lesson = SlotPlan(ani, room, hour: 10, minutes: 60, capacity: 8)
            try await fixture.publish([lesson], of: fixture.choir)
            let events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(events.map(\.id) == [lesson.id, offer.id].map(\.description))
            #expect(events.last?["slots_remaining"] == .number("0"))
            #expect(events.last?["status"] == .string("unavailable"))
            guard case .string(let text)? = events.last?["version"], let version = Int64(text)
            else {
                Issue.record("no version")
                return
            }
            #expect(version > before)
        }

        @Test("publishing again changes nothing; an id that says something else is refused")
        func publishAgain() async throws {
            let fixture = try await Fixture("publish_again")
            var slot = SlotPlan(.random(), .random())
            let first = try await fixture.publish([slot])
            let events = try await fixture.lastEvent()
            #expect(first.created == 1)
            let again = try await fixture.publish([slot])
            #expect(again.created == 0)
            #expect(again.unchanged == 1)
            #expect(try await fixture.lastEvent() == events)
            slot.capacity = 2
            #expect(await refusal { try await fixture.publish([slot]) }.code == .alreadyExists)
            let ofNothing = await refusal { try await fixture.publish([slot], of: .random()) }
            #expect(ofNothing.code == .courseNotFound)
        }

        @Test("A-20: check_schedule_conflicts tells instructor and room, without the own booking")
        func checkConflicts() async throws {
            let fixture = try await Fixture("check_conflicts")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            var request = BookingV1.CheckConflictsRequest()
            request.instructorId = slot.instructor.description
            request.roomId = slot.room.description
            request.startTime = .init(slot.start + .seconds(60))
            request.endTime = .init(slot.end + .seconds(60))
            let context = Fixture.service(BookingV1.InventoryMethods.checkConflicts)
            let found = try await fixture.inventory.checkConflicts(request, context).conflicts
            #expect(found.map(\.resourceKind) == ["instructor", "room"])
            #expect(found.allSatisfy { $0.bookingId == id })
            request.excludeBookingId = id
            #expect(try await fixture.inventory.checkConflicts(request, context).conflicts == [])
            request.excludeBookingId = nil
            request.startTime = .init(slot.end)
            #expect(try await fixture.inventory.checkConflicts(request, context).conflicts == [])
        }
    }
}
