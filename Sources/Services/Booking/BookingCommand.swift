public import Environment

/// What is asked of a booking.
public enum BookingCommand: Sendable, Hashable {
    case confirm
    /// Confirms if needed, and gives the slot.
    case confirmAndAssign(slot: UUID, reason: String)
    case assign(slot: UUID, reason: String)
    case reject
    /// The customer wishes for other slots.
    case choose(first: UUID, second: UUID?)
    case cancel
    case expire
    /// A payment has begun where none was asked for, or after one that failed.
    case paymentOpened
    /// The money is there. Confirms a booking that waited for it; where the booking has ended, a
    /// refund is due.
    case paid
    case paymentFailed
    /// Money has gone back; `entire` when nothing of it is left.
    case refunded(entire: Bool)
    /// The customer is there, at an appointment of these times; at most `lead` too early, and with
    /// a code that ends at `until`.
    case checkIn(startsAt: Instant, endsAt: Instant, lead: Duration, until: Instant)
    case complete
    /// Nobody came until `grace` after the start.
    case noShow(startsAt: Instant, grace: Duration)
    /// Another booking takes its place.
    case reschedule(to: UUID)

    /// Whether it can give seats back: their slot is locked before the booking then.
    var mayRelease: Bool {
        switch self {
        case .cancel, .expire, .reschedule: true
        default: false
        }
    }
}

/// What the rules decided: the booking as it will be, and how it is called in the history.
public struct BookingDecision: Sendable, Hashable {
    public let booking: Booking
    public let action: String
    /// The slot whose seats the decision takes.
    public var takes: UUID?
    /// The slot whose seats the decision gives back.
    public var releases: UUID?
}
