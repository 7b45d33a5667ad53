import Domain
import Environment
import Schema
import Testing

@testable import Booking

/// The table of legal moves, every state with every command.
struct BookingRulesTests {
    static let now = Instant(microseconds: 1_764_633_600_000_000)
    static let first = UUID.random()
    static let second = UUID.random()
    static let other = UUID.random()

    enum State: CaseIterable, Sendable {
        case pending, lapsed, confirmed, assigned, rejected, cancelled, expired
    }

    enum Ask: CaseIterable, Sendable {
        case confirm, confirmAndAssign, assign, reject, cancel, expire
    }

    /// What becomes of each pair that is allowed; everything else is refused.
    static func allowed(_ state: State, _ ask: Ask) -> (Booking.Status, String)? {
        switch (state, ask) {
        case (.pending, .confirm), (.pending, .confirmAndAssign): (.confirmed, "confirmed")
        case (.confirmed, .assign): (.confirmed, "slot_assigned")
        case (.pending, .reject): (.rejected, "rejected")
        case (.pending, .cancel), (.confirmed, .cancel), (.assigned, .cancel):
            (.cancelled, "cancelled")
        case (.lapsed, .expire): (.expired, "expired")
        default: nil
        }
    }

    static func booking(_ state: State) -> Booking {
        var booking = Booking(
            id: .random(), offeringID: .random(), status: .pending, firstChoice: first,
            secondChoice: second, expiresAt: now + .seconds(1), createdAt: now, version: 4)
        switch state {
        case .pending: break
        case .lapsed: booking.expiresAt = now
        case .confirmed: booking.status = .confirmed
        case .assigned:
            booking.status = .confirmed
            booking.confirmedSlot = first
            booking.basis = .firstChoice
        case .rejected: booking.status = .rejected
        case .cancelled: booking.status = .cancelled
        case .expired: booking.status = .expired
        }
        return booking
    }

    static func command(_ ask: Ask) -> BookingCommand {
        switch ask {
        case .confirm: .confirm
        case .confirmAndAssign: .confirmAndAssign(slot: first, reason: "")
        case .assign: .assign(slot: first, reason: "")
        case .reject: .reject
        case .cancel: .cancel
        case .expire: .expire
        }
    }

    @Test(
        "X-05, X-06: every state with every command", arguments: State.allCases, Ask.allCases)
    func everyPair(_ state: State, _ ask: Ask) throws {
        let booking = Self.booking(state)
        guard let (status, action) = Self.allowed(state, ask) else {
            let error = #expect(throws: DomainError.self) {
                try BookingRules.decide(booking, Self.command(ask), now: Self.now)
            }
            let expiry = state == .expired || (state == .lapsed && ask != .assign)
            #expect(error?.code == (expiry ? .bookingExpired : .invalidTransition))
            return
        }
        let decision = try BookingRules.decide(booking, Self.command(ask), now: Self.now)
        #expect(decision.booking.status == status)
        #expect(decision.action == action)
        #expect(decision.booking.version == booking.version + 1)
        let takes = ask == .assign || ask == .confirmAndAssign
        #expect(decision.takes == (takes ? Self.first : nil))
        #expect(decision.releases == (state == .assigned ? Self.first : nil))
        #expect(
            decision.booking.confirmedAt
                == (state == .pending && status == .confirmed
                    ? Self.now : booking.confirmedAt))
        var same = decision.booking
        same.status = booking.status
        same.version = booking.version
        same.confirmedAt = booking.confirmedAt
        same.confirmedSlot = booking.confirmedSlot
        same.basis = booking.basis
        #expect(same == booking, "nothing else changes")
    }

    @Test(
        "X-01: the basis follows from the slot; only an override needs a reason",
        arguments: [
            (first, "", Booking.Basis.firstChoice), (second, "", .secondChoice),
            (other, "teacher is ill", .adminOverride), (other, "", nil), (other, " \n", nil),
        ] as [(UUID, String, Booking.Basis?)])
    func basis(_ slot: UUID, _ reason: String, _ expected: Booking.Basis?) throws {
        for (state, command) in [
            (State.confirmed, BookingCommand.assign(slot: slot, reason: reason)),
            (.pending, .confirmAndAssign(slot: slot, reason: reason)),
        ] {
            let booking = Self.booking(state)
            if let expected {
                let decision = try BookingRules.decide(booking, command, now: Self.now)
                #expect(decision.booking.basis == expected)
                #expect(decision.booking.confirmedSlot == slot)
                #expect(!decision.booking.needsSlot)
            } else {
                let error = #expect(throws: DomainError.self) {
                    try BookingRules.decide(booking, command, now: Self.now)
                }
                #expect(error?.code == .overrideReasonRequired)
                #expect(error?.violations.map(\.field) == ["reason"])
            }
        }
    }

    @Test("X-02: without choices every slot is an override, never a match of nothing")
    func noChoices() {
        var booking = Self.booking(.confirmed)
        booking.firstChoice = nil
        booking.secondChoice = nil
        let error = #expect(throws: DomainError.self) {
            try BookingRules.decide(
                booking, .assign(slot: Self.other, reason: ""), now: Self.now)
        }
        #expect(error?.code == .overrideReasonRequired)
    }

    @Test("A-10: three days; X-03: needs_slot is confirmed without a slot")
    func derived() {
        #expect(BookingRules.requestLifetime == .seconds(259_200))
        for state in State.allCases {
            #expect(Self.booking(state).needsSlot == (state == .confirmed))
        }
    }
}
