import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Answers that repeat an earlier one say so", .serialized, .timeLimit(.minutes(2)))
    struct ReplayTests {
        private func isReplayed(_ context: ServerContext) -> Bool {
            context.trailingMetadata.first("idempotency-replayed") == "true"
        }

        @Test("X-09: confirm; the second with the key says it, the first and a refusal do not")
        func confirm() async throws {
            let fixture = try await Fixture("replay_confirm")
            var request = BookingV1.ConfirmRequest()
            request.bookingId = try await fixture.request().id
            request.idempotencyKey = "k"
            let methods = BookingV1.BookingsMethods.self
            let first = Fixture.admin(methods.confirm)
            let second = Fixture.admin(methods.confirm)
            let made = try await fixture.bookings.confirm(request, first)
            #expect(try await fixture.bookings.confirm(request, second) == made)
            #expect(!isReplayed(first) && isReplayed(second))
            request.reason = "other"
            let reused = Fixture.admin(methods.confirm)
            let error = await refusal { _ = try await fixture.bookings.confirm(request, reused) }
            #expect(error.code == .idempotencyKeyReused && !isReplayed(reused))
        }

        @Test("X-09: register-course keeps its 409, with the trailer")
        func register() async throws {
            let fixture = try await Fixture("replay_register")
            let request = form("ani@example.com", fixture.piano)
            let method = BookingV1.BookingsMethods.registerCourse
            let (first, second) = (ServerContext(method: method), ServerContext(method: method))
            _ = try await fixture.bookings.registerCourse(request, first)
            let error = await refusal {
                _ = try await fixture.bookings.registerCourse(request, second)
            }
            #expect(error.code == .duplicateRequest)
            #expect(!isReplayed(first) && isReplayed(second))
        }

        @Test("X-09: holds, which share transactions, each for its own call")
        func hold() async throws {
            let clinic = try await Clinic("replay_hold")
            let slot = try await clinic.slot(capacity: 5)
            var request = BookingV1.PlaceHoldRequest()
            (request.slotId, request.holder) = (slot.id.description, "ani")
            request.idempotencyKey = "k"
            let method = BookingV1.HoldsMethods.placeHold
            let contexts = (0..<6).map { _ in ServerContext(method: method) }
            let answers = try await withThrowingTaskGroup(
                of: BookingV1.PlaceHoldResponse.self
            ) { [request] group in
                for context in contexts {
                    group.addTask { try await clinic.holds.placeHold(request, context) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers).count == 1)
            #expect(contexts.count { !isReplayed($0) } == 1)
            #expect(try await clinic.fixture.taken(slot) == 1)
        }

        @Test("X-09: a payment that was opened before")
        func payment() async throws {
            let stage = try await PaymentStage("replay")
            let booking = try await stage.booking()
            var request = PaymentV1.CreateRequest()
            request.bookingId = booking.description
            request.manageToken = PaymentStage.tokens.manage(booking)
            request.idempotencyKey = "k"
            let method = PaymentV1.PaymentsMethods.create
            let (first, second) = (ServerContext(method: method), ServerContext(method: method))
            let made = try await stage.service.create(request, first)
            #expect(try await stage.service.create(request, second) == made)
            #expect(!isReplayed(first) && isReplayed(second))
            await stage.close()
        }
    }
}
