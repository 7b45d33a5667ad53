import Domain
import Environment
import RPC
import Schema
import Synchronization

/// Inventory as a real RPC service that remembers what it was given.
final class FakeInventory: BookingV1.InventoryService {
    struct State {
        var offerings: [String: BookingV1.Offering] = [:]
        var slots: [String: BookingV1.SlotPublication] = [:]
        var calls = 0
        /// When everything is occupied.
        var busy: Set<Instant> = []
        var failure: (any Error)?
        /// Keeps what it is given and then answers with the failure: the answer is lost.
        var losesAnswers = false
    }

    let state = Mutex(State())

    func fail(with error: (any Error)?, afterwards: Bool = false) {
        state.withLock { state in
            state.failure = error
            state.losesAnswers = afterwards
        }
    }

    private func take(_ keep: (inout State) -> Void) throws {
        try state.withLock { state in
            state.calls += 1
            if let failure = state.failure, !state.losesAnswers { throw failure }
            keep(&state)
            if let failure = state.failure { throw failure }
        }
    }

    func publishOffering(
        _ request: BookingV1.PublishOfferingRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishOfferingResponse {
        try take { state in
            if let offering = request.offering { state.offerings[offering.id] = offering }
        }
        return BookingV1.PublishOfferingResponse()
    }

    func publishSlots(
        _ request: BookingV1.PublishSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishSlotsResponse {
        var response = BookingV1.PublishSlotsResponse()
        try take { state in
            for slot in request.slots {
                let start = slot.startTime.map { Instant($0) }
                if request.skipConflicts, let start, state.busy.contains(start) {
                    response.skippedSlotIds.append(slot.id)
                } else if !request.dryRun {
                    state.slots[slot.id] = slot
                }
            }
        }
        return response
    }

    func checkConflicts(
        _ request: BookingV1.CheckConflictsRequest, _ context: ServerContext
    ) async throws -> BookingV1.CheckConflictsResponse {
        BookingV1.CheckConflictsResponse()
    }
}

/// A catalogue that knows one location.
final class FakeCatalogue: Sendable, BookingV1.CatalogueService {
    static let location = UUID.random()

    func getLocation(
        _ request: BookingV1.GetLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetLocationResponse {
        guard request.locationId == Self.location.description else {
            throw DomainError(.locationNotFound, "there is no such location")
        }
        var response = BookingV1.GetLocationResponse()
        var location = BookingV1.Location()
        (location.id, location.timeZone) = (request.locationId, "Europe/Berlin")
        response.location = location
        return response
    }
}
