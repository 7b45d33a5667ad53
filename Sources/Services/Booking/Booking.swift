public import Environment

/// The customer's case, as the rules see it. A pure value.
public struct Booking: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable, CaseIterable {
        case pending, confirmed, rejected, cancelled, expired
        case pendingPayment = "pending_payment"
        case inProgress = "in_progress"
        case completed
        case noShow = "no_show"
        case rescheduled
    }

    /// What stands beside the status; the table `booking_state` holds the legal pairs.
    public enum PaymentStatus: String, Sendable, Hashable, CaseIterable {
        case notRequired = "not_required"
        case pending, paid, failed
        case partiallyRefunded = "partially_refunded"
        case refunded
    }

    /// Why a slot was given.
    public enum Basis: String, Sendable, Hashable, CaseIterable {
        case firstChoice = "first_choice"
        case secondChoice = "second_choice"
        case adminOverride = "admin_override"
        /// The customer took it by a hold.
        case customer
        /// A partner's system says so.
        case external
    }

    /// How it came to be.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// With two choices, for an admin to decide.
        case request
        /// By a hold.
        case appointment
        /// From a partner's system.
        case external
    }

    public var id: UUID
    public var offeringID: UUID
    public var status: Status
    public var firstChoice: UUID?
    public var secondChoice: UUID?
    public var confirmedSlot: UUID?
    public var basis: Basis?
    /// A pending request lapses then, or a booking that waits for its payment.
    public var expiresAt: Instant
    public var confirmedAt: Instant?
    public var createdAt: Instant
    /// Grows with every transition.
    public var version: Int64
    /// The code of the offering, for events: browsers filter by it as well.
    public var offeringCode = ""
    public var kind = Kind.request
    public var paymentStatus = PaymentStatus.notRequired
    /// Seats.
    public var quantity = 1
    /// Minor units of `currency`.
    public var total: Int64 = 0
    public var discount: Int64 = 0
    /// ISO 4217.
    public var currency = "IDR"
    public var holdID: UUID?
    public var rescheduledFrom: UUID?
    public var rescheduledTo: UUID?
    /// How often it has been rescheduled before.
    public var reschedules = 0
    public var cancelledAt: Instant?
    public var checkedInAt: Instant?
    public var completedAt: Instant?

    /// The slots that a request names, the most wanted first.
    var choices: [UUID] { [firstChoice, secondChoice].compactMap { $0 } }

    public var finalAmount: Int64 { total - discount }

    /// Confirmed, but nobody has assigned a slot yet.
    public var needsSlot: Bool { status == .confirmed && confirmedSlot == nil }
}
