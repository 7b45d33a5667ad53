import Domain
import Environment

/// The seats that were asked for cannot be had.
struct SeatLost: Error {
    let slot: Slot
    let code: DomainError.Code

    struct Reason: Hashable {
        let slot: UUID
        let code: DomainError.Code
    }

    var reason: Reason { Reason(slot: slot.id, code: code) }
}
