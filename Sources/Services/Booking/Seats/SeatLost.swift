import Domain

/// The seats that were asked for cannot be had.
struct SeatLost: Error {
    let slot: Slot
    let code: DomainError.Code
}
