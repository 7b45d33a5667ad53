public import Environment

/// The customer's case, as the rules see it. A pure value.
public struct Booking: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable, CaseIterable {
        case pending, confirmed, rejected, cancelled, expired
    }

    /// Why a slot was given.
    public enum Basis: String, Sendable, Hashable, CaseIterable {
        case firstChoice = "first_choice"
        case secondChoice = "second_choice"
        case adminOverride = "admin_override"
    }

    public var id: UUID
    public var offeringID: UUID
    public var status: Status
    public var firstChoice: UUID?
    public var secondChoice: UUID?
    public var confirmedSlot: UUID?
    public var basis: Basis?
    /// A pending request lapses then.
    public var expiresAt: Instant
    public var confirmedAt: Instant?
    public var createdAt: Instant
    /// Grows with every transition.
    public var version: Int64
    /// The code of the offering, for events: browsers filter by it as well.
    public var offeringCode = ""

    /// Confirmed, but nobody has assigned a slot yet.
    public var needsSlot: Bool { status == .confirmed && confirmedSlot == nil }
}
