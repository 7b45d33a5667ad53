import Domain
import Environment
import Schema

/// The seats that were asked for cannot be had.
struct SeatLost: Error {
    let slot: Slot
    let code: DomainError.Code
}

extension BookingStore {
    /// Tells what is in the way, and what is near and free. Customers hear when a resource is
    /// occupied, not by whose booking, nor why it is blocked.
    func explain(
        _ lost: SeatLost, toStaff: Bool = false, excluding booking: UUID? = nil
    ) async throws -> DomainError {
        var details = BookingV1.ConflictDetails()
        if lost.code == .scheduleConflict {
            details.conflicts = try await conflicts(with: lost.slot, excluding: booking)
                .map { toStaff ? BookingV1.Conflict($0) : BookingV1.Conflict(forCustomers: $0) }
        }
        details.alternatives = try await alternatives(to: lost.slot).map { BookingV1.Slot($0) }
        let why =
            switch lost.code {
            case .scheduleConflict: "a resource of the slot is occupied at that time"
            case .capacityExceeded: "the slot has not so many free seats"
            default: "the slot cannot be booked"
            }
        return DomainError(lost.code, why).with(details)
    }
}
