public import Domain
public import Environment
import Schema

/// An offer in time with seats, as the rules and the store see it.
public struct Slot: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable {
        case available, unavailable, maintenance
    }

    public var id: UUID
    public var offering: Offering
    /// Everything that it occupies, by kind and name.
    public var resources: [NamedResource]
    public var startsAt: Instant
    public var endsAt: Instant
    public var capacity: Int
    /// Seats of holds and bookings, as stored: lapsed ones that nobody has cleared away included.
    public var taken: Int
    public var status: Status
    /// From one sequence for all slots: grows with every change of this one.
    public var version: Int64
    /// Pending requests that name it.
    public var demand: Int
    /// One of its resources is occupied by something else.
    public var isBlocked: Bool
    /// Seats among `taken` whose hold or time to pay is over: free for whoever asks.
    public var lapsed = 0
    /// When its resources are occupied: its time with the buffers of the policy.
    public var occupiedFrom: Instant
    public var occupiedUntil: Instant
    /// IANA zone of the place.
    public var timeZone: String
    /// The day of `startsAt` in `timeZone`.
    public var localDate: LocalDate
    public var locationID: UUID?
    /// Its own price, of one seat; the offering's when nil.
    public var ownPrice: Int64?
    /// Seats of the smallest party that waits for it; nil when nobody does.
    public var waiting: Int?

    /// Of one seat, in minor units of the offering's currency (E-08).
    public var price: Int64 { ownPrice ?? offering.price }

    public var free: Int { capacity - taken + lapsed }

    /// Free seats that somebody waits for are about to be offered to them: nobody else has them.
    public var remaining: Int {
        isBlocked || status != .available || waiting.map { free >= $0 } == true ? 0 : free
    }

    /// Whether both need one resource at the same time.
    func meets(_ other: Slot) -> Bool {
        occupiedFrom < other.occupiedUntil && other.occupiedFrom < occupiedUntil
            && resources.contains { one in other.resources.contains { $0.id == one.id } }
    }

    public var instructor: NamedResource? { resources.first { $0.kind == "instructor" } }

    public var room: NamedResource? { resources.first { $0.kind == "room" } }

    /// It has been taken off for good: whoever still has a seat in it needs another.
    static let withdrawn = DomainError(
        .slotUnavailable, "the slot has been withdrawn: it does not take place")

    /// Whether it has seats and can be booked at that time.
    public func isAvailable(at now: Instant) -> Bool {
        remaining > 0 && startsAt > now && bookingTimes.contains(now)
    }

    /// From the booking window's opening until the minimum notice, by the policy as it is now.
    public var bookingTimes: BookingTimes {
        BookingTimes(
            opens: offering.window.map { startsAt - $0 }, closes: startsAt - offering.notice)
    }

    /// - Throws: SLOT_UNAVAILABLE when it has begun, OUTSIDE_BOOKING_WINDOW.
    public func requireBookingTime(_ now: Instant) throws(DomainError) {
        guard startsAt > now else {
            throw DomainError(.slotUnavailable, "the slot has already begun")
        }
        try bookingTimes.require(now)
    }
}

/// When a slot can be booked (design.md §4: minimum notice and booking window).
public struct BookingTimes: Sendable, Hashable {
    /// Inclusive; always when nil.
    public var opens: Instant?
    /// Inclusive.
    public var closes: Instant

    public func contains(_ now: Instant) -> Bool {
        now <= closes && opens.map { now >= $0 } ?? true
    }

    /// - Throws: OUTSIDE_BOOKING_WINDOW that says from or until when.
    public func require(_ now: Instant) throws(DomainError) {
        if let opens, now < opens {
            throw DomainError(
                .outsideBookingWindow, "the slot can be booked from \(opens.rfc3339) on")
        }
        guard now <= closes else {
            throw DomainError(
                .outsideBookingWindow, "the slot could be booked until \(closes.rfc3339)")
        }
    }
}

public struct Offering: Sendable, Hashable {
    /// When a slot's resources become occupied.
    public enum ClaimPolicy: String, Sendable, Hashable { case assign, publish }

    public var id: UUID
    public var code: String
    public var title: String
    public var claimAt: ClaimPolicy
    public var timeZone: String
    public var kind = "course"
    public var locationID: UUID?
    /// The code of the policy it is booked by.
    public var policy = "school"
    /// Of one seat, in minor units of `currency`.
    public var price: Int64 = 0
    /// ISO 4217.
    public var currency = "IDR"
    /// The policy's: a slot can be booked until so long before its start.
    public var notice = Duration.zero
    /// The policy's: a slot can be booked from so long before its start; always when nil.
    public var window: Duration?
}

public struct NamedResource: Sendable, Hashable {
    public var id: UUID
    public var name: String
    /// A word in lower case: `instructor`, `room`, `staff`, `field`, …
    public var kind = ""
}

/// A claim that is in the way.
public struct Conflict: Sendable, Hashable {
    public var resource: NamedResource
    public var startsAt: Instant
    public var endsAt: Instant
    /// The slot that holds the claim; nil for a block.
    public var slotID: UUID?
    public var bookingID: UUID?
    public var blockID: UUID?
    /// Why it is blocked.
    public var reason = ""
}
