import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(
        "X-24: a customer asks for another slot by the manage link", .serialized,
        .timeLimit(.minutes(2)))
    struct ChangedChoicesTests {
        private typealias Methods = BookingV1.AppointmentsMethods

        /// A request, and slots of its course.
        private struct Case {
            let fixture: Fixture
            let appointments: AppointmentService
            let slots: [SlotPlan]
            let token: String
            let id: String

            init(_ name: String) async throws {
                fixture = try await Fixture(name)
                appointments = AppointmentService(
                    pool: fixture.pool, clock: .system, tokens: Fixture.tokens, committed: {})
                slots = (0..<4).map { SlotPlan(.random(), .random(), day: 3, hour: 9 + $0) }
                try await fixture.publish(slots)
                let answer = try await fixture.register(
                    form("rival@example.com", fixture.piano, slots[0].id, slots[1].id))
                token = answer.manageToken
                id = try #require(answer.booking?.id)
            }

            func choose(
                _ first: String, _ second: String? = nil, key: String? = nil, token: String? = nil
            ) async throws -> BookingV1.Booking {
                var request = BookingV1.ChangeChoicesByManageTokenRequest()
                request.token = token ?? self.token
                (request.firstChoiceSlotId, request.secondChoiceSlotId) = (first, second)
                request.idempotencyKey = key
                return try #require(
                    try await appointments.changeChoicesByManageToken(
                        request, ServerContext(method: Methods.changeChoicesByManageToken)
                    ).booking)
            }

            func choose(_ first: SlotPlan, _ second: SlotPlan? = nil, key: String? = nil)
                async throws -> BookingV1.Booking
            {
                try await choose(first.id.description, second?.id.description, key: key)
            }

            func view() async throws -> BookingV1.GetByManageTokenResponse {
                var request = BookingV1.GetByManageTokenRequest()
                request.token = token
                return try await appointments.getByManageToken(
                    request, ServerContext(method: Methods.getByManageToken))
            }

            /// One history row and one event for each version.
            func expectStory(
                _ actions: [String], _ location: SourceLocation = #_sourceLocation
            ) async throws {
                let booking = try #require(UUID(id))
                let story = try await fixture.pool.query(
                    "select action from booking_history where booking_id = \(booking) order by version"
                ).map { try $0[0] as String }
                #expect(story == actions, sourceLocation: location)
                let version = try await fixture.number(
                    "select version from booking where id = \(booking)")
                #expect(version == actions.count, sourceLocation: location)
                let told = try await fixture.events()
                    .filter { $0.topic == "booking.choices_changed" }
                #expect(
                    told.count == actions.count { $0 == "choices_changed" },
                    sourceLocation: location)
            }
        }

        @Test("what is near and open becomes the choice; then it needs no override")
        func changed() async throws {
            let request = try await Case("choices_changed")
            let (fixture, slots) = (request.fixture, request.slots)
            for slot in slots.prefix(2) {
                try await fixture.assign(try await fixture.confirmed(slot), slot)
            }
            var seen = try await request.view()
            #expect(seen.choicesGone && seen.rights?.canChangeChoices == true)
            #expect(seen.alternatives.map(\.id) == slots[2...].map(\.id.description))
            let changed = try await request.choose(slots[2], slots[3], key: "k")
            #expect(changed.firstChoiceSlotId == slots[2].id.description)
            #expect(changed.secondChoiceSlotId == slots[3].id.description)
            #expect(try await request.choose(slots[2], slots[3], key: "k") == changed)
            let reused = await refusal { _ = try await request.choose(slots[3], key: "k") }
            #expect(reused.code == .idempotencyKeyReused)
            try await request.expectStory(["created", "choices_changed"])
            seen = try await request.view()
            #expect(!seen.choicesGone && seen.alternatives.isEmpty)
            #expect(seen.firstChoice?.slot?.id == slots[2].id.description)
            #expect(seen.firstChoice?.others == 0 && seen.firstChoice?.available == true)
            let body = try #require(
                try await fixture.events().last { $0.topic == "booking.choices_changed" }?.body)
            for (slot, demand) in zip(slots, [0, 0, 1, 1]) {
                #expect(body.contains("\"\(slot.id)\":\(demand)"), "\(body)")
            }
            try await fixture.confirm(request.id)
            #expect(
                try await fixture.assign(request.id, slots[2]).booking?.assignmentBasis
                    == .firstChoice)
            let late = await refusal { _ = try await request.choose(slots[3]) }
            #expect(late.code == .invalidTransition)
            #expect(try await request.view().rights?.canChangeChoices == false)
        }

        @Test("bad wishes are refused and change nothing")
        func refused() async throws {
            let request = try await Case("choices_refused")
            let (fixture, slots) = (request.fixture, request.slots)
            let lesson = SlotPlan(.random(), .random(), day: 4)
            try await fixture.publish([lesson], of: fixture.choir)
            try await fixture.assign(try await fixture.confirmed(slots[2]), slots[2])
            let open = slots[3].id.description
            let wishes: [(String, String?, String?, DomainError.Code)] = [
                (slots[2].id.description, nil, nil, .slotUnavailable),
                (open, slots[2].id.description, nil, .slotUnavailable),
                (lesson.id.description, nil, nil, .slotNotFound),
                (UUID.random().description, nil, nil, .slotNotFound),
                (open, open, nil, .validationFailed), ("", nil, nil, .validationFailed),
                (open, "x", nil, .validationFailed), (open, nil, "forged", .bookingNotFound),
            ]
            for (first, second, token, code) in wishes {
                let error = await refusal {
                    _ = try await request.choose(first, second, token: token)
                }
                #expect(error.code == code, "\(first) \(second ?? "-")")
            }
            try await request.expectStory(["created"])
            // What was named before may stay, open or not.
            try await fixture.assign(try await fixture.confirmed(slots[0]), slots[0])
            _ = try await request.choose(slots[3], slots[0])
            try await request.expectStory(["created", "choices_changed"])
            try await fixture.lapse(request.id)
            let late = await refusal { _ = try await request.choose(slots[3]) }
            #expect(late.code == .bookingExpired)
            try await request.expectStory(["created", "choices_changed", "expired"])
        }

        @Test("ten changes at most, however many calls run at once")
        func limit() async throws {
            let request = try await Case("choices_limit")
            let slots = request.slots
            let outcomes = await allAtOnce(16) { index in
                _ = try await request.choose(slots[index % 4], slots[(index + 1) % 4])
            }
            #expect(outcomes.count { $0.value != nil } == ChangedChoices.limit)
            #expect(outcomes.compactMap(\.refusal).allSatisfy { $0.code == .invalidTransition })
            try await request.expectStory(
                ["created"] + Array(repeating: "choices_changed", count: ChangedChoices.limit))
        }
    }
}
