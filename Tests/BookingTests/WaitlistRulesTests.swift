import Crypto
import Domain
import Environment
import Schema
import Testing

@testable import Booking

@Suite struct WaitlistRulesTests {
    static let now = Instant(microseconds: 1_800_000_000_000_000)

    @Test("every state and action: the legal moves, and why the others are refused")
    func moves() {
        let legal: [WaitlistEntry.Status: [WaitlistAction: WaitlistEntry.Status]] = [
            .waiting: [.offered: .offered, .left: .left, .ended: .ended],
            .offered: [
                .claimed: .claimed, .lapsed: .lapsed, .left: .left, .ended: .ended,
            ],
        ]
        for status in WaitlistEntry.Status.allCases {
            for action in WaitlistAction.allCases {
                let entry = Self.entry(1, status)
                let expected = legal[status]?[action]
                let result = Result { () throws(DomainError) in
                    try WaitlistRules.decide(entry, action)
                }
                switch result {
                case .success(let next):
                    #expect(next.status == expected, "\(status) \(action)")
                    #expect(next.version == entry.version + 1)
                case .failure(let error):
                    #expect(expected == nil, "\(status) \(action)")
                    #expect(
                        error.code
                            == (status == .lapsed && action == .claimed
                                ? .offerExpired : .invalidTransition))
                }
            }
        }
    }

    @Test(
        "the line is served in its order; who does not fit keeps the place and stops nobody",
        arguments: [
            ([1, 1, 1], 0, []), ([1, 1, 1], 2, [0, 1]), ([3, 1, 1], 1, [1]), ([3, 1], 3, [0]),
            ([3, 1, 2], 4, [0, 1]), ([2, 2, 1], 3, [0, 2]), ([5], 4, []), ([], 9, []),
        ] as [([Int], Int, [Int])])
    func served(_ line: [Int], _ free: Int, _ expected: [Int]) {
        let served = WaitlistRules.served(Array(line.enumerated()), free: free) { $0.element }
        #expect(served.map(\.offset) == expected)
    }

    @Test("who may join, and what everybody else is told")
    func join() {
        func code(
            _ quantity: Int = 1, free: Int = 0,
            _ change: (inout Slot, inout WaitlistRules.Line) -> Void = { _, _ in }
        ) -> DomainError.Code? {
            var slot = Self.slot
            var line = WaitlistRules.Line(
                entry: .hold, quantityLimit: 4, limit: 3, length: 2, own: 4, isIn: false,
                hasBooking: false)
            change(&slot, &line)
            do throws(DomainError) {
                try WaitlistRules.checkJoin(quantity, slot, free: free, line, now: Self.now)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code() == nil)
        #expect(code(3, free: 2) == nil, "two free seats are not three")
        #expect(code(2, free: 2) == .seatsAvailable)
        #expect(code(free: 1) { slot, _ in slot.isBlocked = true } == nil)
        #expect(code(5) == .validationFailed, "the policy allows four")
        #expect(code(4) { slot, _ in slot.capacity = 3 } == .validationFailed)
        #expect(code { $1.entry = .request } == .slotUnavailable)
        #expect(code { $1.limit = 0 } == .slotUnavailable)
        #expect(code { slot, _ in slot.status = .maintenance } == .slotUnavailable)
        #expect(code { slot, _ in slot.startsAt = Self.now } == .slotUnavailable)
        #expect(
            code { slot, _ in slot.offering.notice = .seconds(7200) } == .outsideBookingWindow)
        #expect(code { $1.hasBooking = true } == .slotAlreadyBookedByUser)
        #expect(code { $1.isIn = true } == .alreadyWaiting)
        #expect(code { $1.length = 3 } == .waitlistLimitReached)
        #expect(code { $1.own = 5 } == .waitlistLimitReached)
    }

    @Test("a ledger serves the line with what is free, and offers nothing beyond the start")
    func ledger() throws {
        var slot = Self.slot
        (slot.capacity, slot.taken, slot.waiting) = (3, 3, 1)
        var ledger = SeatLedger(
            [slot], versions: [9], freed: [slot.id: 2], lapsed: [], at: Self.now)
        #expect(ledger.lines.map(\.free) == [2])
        let line = [3, 1, 2, 1].map { quantity in
            WaitlistParty(entry: Self.entry(quantity, .waiting), offerTime: .seconds(7200))
        }
        try ledger.serve(slot.id, line)
        #expect(ledger.moves.map(\.entry.id) == [line[1].entry.id, line[3].entry.id])
        #expect(ledger.moves.allSatisfy { $0.until == slot.startsAt })
        #expect(ledger.changed.isEmpty, "the street never sees these seats")
        #expect(throws: SeatLost.self) { try ledger.take(1, of: slot.id) }
    }

    @Test("the line of a slot that nobody can book any more ends")
    func over() throws {
        var slot = Self.slot
        (slot.waiting, slot.offering.notice) = (1, .seconds(7200))
        var ledger = SeatLedger([slot], versions: [9], freed: [:], lapsed: [], at: Self.now)
        try ledger.serve(slot.id, [WaitlistParty(entry: Self.entry(1, .waiting), offerTime: .zero)])
        #expect(ledger.moves.map(\.action) == [.ended])
    }

    static func entry(_ quantity: Int, _ status: WaitlistEntry.Status) -> WaitlistEntry {
        WaitlistEntry(
            id: .random(), slot: slot.id, quantity: quantity, status: status, version: 1,
            joinedAt: now, applicantKey: [], tokenHash: SHA256.hash([]))
    }

    /// In an hour.
    static let slot = Slot(
        id: .random(),
        offering: Offering(
            id: .random(), code: "VET", title: "Vet", claimAt: .publish,
            timeZone: "Asia/Jakarta"),
        resources: [], startsAt: now + .seconds(3600), endsAt: now + .seconds(7200), capacity: 8,
        taken: 8, status: .available, version: 1, demand: 0, isBlocked: false,
        occupiedFrom: now + .seconds(3600), occupiedUntil: now + .seconds(7200),
        timeZone: "Asia/Jakarta", localDate: LocalDate("2027-01-15")!)
}
