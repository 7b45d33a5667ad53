public import Environment

/// An offer in time with seats, as the rules and the store see it.
public struct Slot: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable {
        case available, unavailable, maintenance
    }

    public var id: UUID
    public var offering: Offering
    public var instructor: NamedResource
    public var room: NamedResource
    public var startsAt: Instant
    public var endsAt: Instant
    public var capacity: Int
    public var taken: Int
    public var status: Status
    /// From one sequence for all slots: grows with every change of this one.
    public var version: Int64
    /// Pending requests that name it.
    public var demand: Int
    /// Its instructor or room is occupied by another slot.
    public var isBlocked: Bool

    public var remaining: Int { isBlocked || status != .available ? 0 : capacity - taken }

    public func isAvailable(at now: Instant) -> Bool { remaining > 0 && startsAt > now }
}

public struct Offering: Sendable, Hashable {
    /// When a slot's resources become occupied.
    public enum ClaimPolicy: String, Sendable, Hashable { case assign, publish }

    public var id: UUID
    public var code: String
    public var title: String
    public var claimAt: ClaimPolicy
    public var timeZone: String
}

public struct NamedResource: Sendable, Hashable {
    public var id: UUID
    public var name: String
}

/// A claim that is in the way.
public struct Conflict: Sendable, Hashable {
    public var resource: NamedResource
    public var kind: String
    public var startsAt: Instant
    public var endsAt: Instant
    public var slotID: UUID
    public var bookingID: UUID?
}
