import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct EventTests {
        @Test(
            "X-04: confirm tells booking.confirmed; assigning tells schedule and availability too")
        func confirmAndAssign() async throws {
            let fixture = try await Fixture("events")
            let (ani, room) = (UUID.random(), UUID.random())
            let slot = SlotPlan(ani, room)
            let neighbour = SlotPlan(ani, .random(), minute: 30)
            try await fixture.publish([slot, neighbour])
            let booking = try await fixture.request("a@example.com", slot)
            let rival = try await fixture.request("b@example.com", slot)
            var seen = try await fixture.lastEvent()

            try await fixture.confirm(booking.id)
            var events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(events.map(\.topic) == ["booking.confirmed"])
            #expect(events[0].action == "confirmed")
            #expect(events[0].id == booking.id)
            #expect(events[0]["needs_slot"] == .bool(true))
            #expect(events[0]["slot_id"] == .null)
            #expect(events[0]["confirmedAt"] != nil)
            seen = try await fixture.lastEvent()

            try await fixture.assign(booking.id, slot)
            events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(
                events.map(\.topic) == [
                    "booking.confirmed", "availability.updated", "schedule.updated",
                    "availability.updated", "admin.notifications", "booking.choices_lost",
                ])
            #expect(events[0].action == "slot_assigned")
            #expect(events[0]["slot_id"] == .string(slot.id.description))
            #expect(events[0]["assignment_basis"] == .string("first_choice"))
            #expect(events[1].id == slot.id.description)
            #expect(events[1]["slots_remaining"] == .number("0"))
            #expect(events[1]["status"] == .string("booked"))
            #expect(events[2].action == "slot_assigned")
            #expect(events[2]["instructor_id"] == .string(ani.description))
            #expect(events[2]["room_id"] == .string(room.description))
            #expect(events[3].id == neighbour.id.description)
            #expect(events[3]["slots_remaining"] == .number("0"))
            #expect(events[3]["status"] == .string("unavailable"))
            #expect(events[4].action == "choices_lost", "X-24")
            #expect(events[4]["booking_ids"] == .array([.string(rival.id)]))
            #expect(events[5]["booking_ids"] == .array([.string(rival.id)]), "and who watches it")
            seen = try await fixture.lastEvent()

            try await fixture.cancel(booking.id)
            events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(
                events.map(\.topic) == [
                    "booking.cancelled", "availability.updated", "schedule.updated",
                    "availability.updated",
                ])
            #expect(events[0]["cancelledBy"] == .string("admin:7"))
            #expect(events[1]["slots_remaining"] == .number("1"))
            #expect(events[3]["slots_remaining"] == .number("1"))
            #expect(events[3]["status"] == .string("available"))
        }

        @Test("X-49: the versions of a slot's events grow")
        func versions() async throws {
            let fixture = try await Fixture("event_versions")
            let slot = SlotPlan(.random(), .random(), capacity: 5)
            try await fixture.publish([slot])
            for _ in 0..<4 { try await fixture.assign(try await fixture.confirmed(slot), slot) }
            let events = try await fixture.events().map { try Event($0.body) }
                .filter { $0.topic == "availability.updated" }
            let versions = events.compactMap { event -> Int? in
                guard case .string(let text)? = event["version"] else { return nil }
                return Int(text)
            }
            #expect(versions.count == 5)
            #expect(zip(versions, versions.dropFirst()).allSatisfy { $0 < $1 })
            #expect(
                events.compactMap { $0["slots_remaining"] }
                    == (1...5).reversed().map { .number("\($0)") })
        }

        @Test("A-17, X-05: rejected, cancelled and expired requests are told")
        func ended() async throws {
            let fixture = try await Fixture("events_ended")
            let rejected = try await fixture.request("a@example.com")
            let lapsed = try await fixture.request("b@example.com")
            let seen = try await fixture.lastEvent()
            try await fixture.reject(rejected.id)
            try await fixture.lapse(lapsed.id)
            _ = await refusal { try await fixture.confirm(lapsed.id) }
            let events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(events.map(\.topic) == ["booking.cancelled", "booking.expired"])
            #expect(events.map(\.action) == ["rejected", "expired"])
            #expect(events[1]["cancelledBy"] == .string("system"))
        }

        @Test("X-53, X-125: no event, history row or stored answer holds personal data")
        func noPersonalData() async throws {
            let fixture = try await Fixture("events_canary")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            var request = form("canary-mail@example.com", fixture.piano, slot.id)
            request.fullName = "Canary Name"
            request.address = "Canary Street"
            request.birthPlace = "Canary Town"
            request.birthDate = "2011-11-11"
            request.school = "Canary School"
            request.guardianName = "Canary Guardian"
            request.guardianWaNumber = "+6281111111111"
            let booking = try #require(try await fixture.register(request).booking)
            try await fixture.confirm(booking.id) { $0.idempotencyKey = "k" }
            try await fixture.assign(booking.id, slot)
            try await fixture.cancel(booking.id)
            let duplicate = await refusal { try await fixture.register(request) }
            let stored = try await fixture.text(
                """
                select coalesce((select string_agg(body, ' ') from outbox), '')
                    || coalesce((select string_agg(h::text, ' ') from booking_history h), '')
                    || coalesce((select string_agg(b::text, ' ') from booking b), '')
                    || coalesce((select string_agg(encode(response, 'escape'), ' ')
                        from idempotency_key), '')
                """)
            for text in [stored.lowercased(), "\(duplicate)".lowercased()] {
                for canary in ["canary", "2011-11-11", "81111111111"] {
                    #expect(!text.contains(canary))
                }
            }
            #expect(
                try await fixture.number(
                    "select count(*) from registration r where r::text like '%anary%'") == 1,
                "the canary is where it may be")
        }
    }
}
