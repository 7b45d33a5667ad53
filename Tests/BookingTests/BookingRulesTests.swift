import Domain
import Environment
import Schema
import Testing

@testable import Booking

/// The table of legal moves: every status with every payment status and
/// every command.
struct BookingRulesTests {
    typealias Status = Booking.Status
    typealias Payment = Booking.PaymentStatus

    static let now = Instant(microseconds: 1_764_633_600_000_000)
    static let first = UUID.random()
    static let second = UUID.random()
    static let other = UUID.random()

    enum Ask: String, CaseIterable, Sendable {
        case confirm, confirmAndAssign, assign, reject, cancel, expire
        case paymentOpened, paid, paymentFailed, refundedInPart, refundedEntirely
        case checkIn, complete, noShow, reschedule, choose

        var command: BookingCommand {
            switch self {
            case .confirm: .confirm
            case .confirmAndAssign: .confirmAndAssign(slot: first, reason: "")
            case .assign: .assign(slot: first, reason: "")
            case .reject: .reject
            case .cancel: .cancel
            case .expire: .expire
            case .paymentOpened: .paymentOpened
            case .paid: .paid
            case .paymentFailed: .paymentFailed
            case .refundedInPart: .refunded(entire: false)
            case .refundedEntirely: .refunded(entire: true)
            case .checkIn:
                .checkIn(
                    startsAt: now, endsAt: now + .seconds(3600), lead: .seconds(60),
                    until: now + .seconds(1))
            case .complete: .complete
            case .noShow: .noShow(startsAt: now - .seconds(1800), grace: .seconds(1800))
            case .reschedule: .reschedule(to: other)
            case .choose: .choose(first: other, second: nil)
            }
        }
    }

    /// What is allowed, as `status/payment status` before and after; everything else is refused.
    static let allowed: [Ask: [String: String]] = {
        var all: [Ask: [String: String]] = [
            .confirm: same(.pending, .confirmed, [.notRequired, .pending, .failed, .paid]),
            .assign: same(
                .confirmed, .confirmed,
                [.notRequired, .pending, .failed, .paid, .partiallyRefunded]),
            .reject: same(.pending, .rejected, [.notRequired, .pending, .failed, .paid]),
            .cancel: same(.pending, .cancelled, [.notRequired, .pending, .failed, .paid])
                .merging(same(.pendingPayment, .cancelled, [.pending, .failed])) { $1 }
                .merging(
                    same(
                        .confirmed, .cancelled,
                        [.notRequired, .pending, .failed, .paid, .partiallyRefunded])
                ) { $1 },
            .expire: same(.pending, .expired, [.notRequired, .pending, .failed, .paid])
                .merging(same(.pendingPayment, .expired, [.pending, .failed])) { $1 },
            .paymentOpened: [
                "pending/not_required": "pending/pending", "pending/failed": "pending/pending",
                "pending_payment/failed": "pending_payment/pending",
                "confirmed/not_required": "confirmed/pending",
                "confirmed/failed": "confirmed/pending",
                "in_progress/not_required": "in_progress/pending",
            ],
            .paid: [
                "pending/not_required": "pending/paid", "confirmed/not_required": "confirmed/paid",
                "in_progress/not_required": "in_progress/paid",
                "completed/not_required": "completed/paid", "no_show/not_required": "no_show/paid",
                "cancelled/not_required": "cancelled/paid",
                "rejected/not_required": "rejected/paid", "expired/not_required": "expired/paid",
                "pending/pending": "pending/paid", "pending/failed": "pending/paid",
                "pending_payment/pending": "confirmed/paid",
                "pending_payment/failed": "confirmed/paid",
                "confirmed/pending": "confirmed/paid", "confirmed/failed": "confirmed/paid",
                "in_progress/pending": "in_progress/paid", "completed/pending": "completed/paid",
                "no_show/pending": "no_show/paid", "cancelled/pending": "cancelled/paid",
                "cancelled/failed": "cancelled/paid", "rejected/pending": "rejected/paid",
                "rejected/failed": "rejected/paid", "expired/pending": "expired/paid",
                "expired/failed": "expired/paid",
            ],
            // Of a visit that has begun the debt stays: nobody asks (PaymentRulesTests).
            .paymentFailed: [
                "pending/pending": "pending/failed",
                "pending_payment/pending": "pending_payment/failed",
                "confirmed/pending": "confirmed/failed", "cancelled/pending": "cancelled/failed",
                "rejected/pending": "rejected/failed", "expired/pending": "expired/failed",
            ],
            .checkIn: same(
                .confirmed, .inProgress, [.notRequired, .pending, .paid, .partiallyRefunded]),
            .complete: same(
                .inProgress, .completed, [.notRequired, .pending, .paid, .partiallyRefunded]),
            .noShow: same(
                .confirmed, .noShow, [.notRequired, .pending, .paid, .partiallyRefunded]
            ).merging(["confirmed/failed": "no_show/pending"]) { $1 },
            .reschedule: same(
                .confirmed, .rescheduled, [.notRequired, .pending, .paid, .partiallyRefunded]),
        ]
        all[.confirmAndAssign] = all[.confirm]
        all[.choose] = same(.pending, .pending, [.notRequired, .pending, .failed, .paid])
            .merging(all[.assign] ?? [:]) { $1 }
        for status in [
            Status.confirmed, .inProgress, .completed, .noShow, .cancelled, .rejected, .expired,
        ] {
            for before in ["paid", "partially_refunded"] {
                all[.refundedInPart, default: [:]]["\(status.rawValue)/\(before)"] =
                    "\(status.rawValue)/partially_refunded"
                if status != .confirmed && status != .inProgress {
                    all[.refundedEntirely, default: [:]]["\(status.rawValue)/\(before)"] =
                        "\(status.rawValue)/refunded"
                }
            }
        }
        return all
    }()

    static func same(_ from: Status, _ to: Status, _ payments: [Payment]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: payments.map {
                ("\(from.rawValue)/\($0.rawValue)", "\(to.rawValue)/\($0.rawValue)")
            })
    }

    /// A booking in the state, as it must be for the command to have a chance.
    static func booking(_ status: Status, _ payment: Payment, for ask: Ask) -> Booking {
        var booking = Booking(
            id: .random(), offeringID: .random(), status: status, firstChoice: first,
            secondChoice: second, expiresAt: ask == .expire ? now : now + .seconds(1),
            createdAt: now, version: 4)
        booking.paymentStatus = payment
        if status != .pending, ask != .assign, ask != .choose {
            booking.confirmedSlot = first
            booking.basis = .firstChoice
        }
        return booking
    }

    @Test("X-05, X-83, X-114: every state with every command", arguments: Ask.allCases)
    func everyMove(_ ask: Ask) throws {
        let table = try #require(Self.allowed[ask])
        for status in Status.allCases {
            for payment in Payment.allCases {
                let booking = Self.booking(status, payment, for: ask)
                let state = "\(status.rawValue)/\(payment.rawValue)"
                guard let expected = table[state] else {
                    let error = #expect(throws: DomainError.self, "\(ask) \(state)") {
                        try BookingRules.decide(booking, ask.command, now: Self.now)
                    }
                    if let code = error?.code {
                        #expect(Self.refusals.contains(code), "\(ask) \(state)")
                    }
                    continue
                }
                let decision = try BookingRules.decide(booking, ask.command, now: Self.now)
                let next = decision.booking
                #expect(
                    "\(next.status.rawValue)/\(next.paymentStatus.rawValue)" == expected,
                    "\(ask) \(state)")
                #expect(next.version == booking.version + 1)
                let takes = ask == .assign || ask == .confirmAndAssign
                #expect(decision.takes == (takes ? Self.first : nil))
                let releases =
                    [.cancel, .expire, .reschedule].contains(ask) && status != .pending
                #expect(decision.releases == (releases ? Self.first : nil), "\(ask) \(state)")
                #expect(next.choices == (ask == .choose ? [Self.other] : booking.choices))
                expectNothingElse(booking, next)
            }
        }
    }

    static let refusals: Set<DomainError.Code> = [
        .invalidTransition, .bookingExpired, .paymentRequired,
    ]

    /// The stamp belongs to the status; everything else stays.
    private func expectNothingElse(_ booking: Booking, _ next: Booking) {
        var same = next
        same.status = booking.status
        same.paymentStatus = booking.paymentStatus
        same.version = booking.version
        same.confirmedSlot = booking.confirmedSlot
        (same.firstChoice, same.secondChoice) = (booking.firstChoice, booking.secondChoice)
        same.basis = booking.basis
        let moved = next.status != booking.status
        #expect(next.confirmedAt == (moved && next.status == .confirmed ? Self.now : nil))
        #expect(next.cancelledAt == (next.status == .cancelled && moved ? Self.now : nil))
        #expect(next.checkedInAt == (next.status == .inProgress && moved ? Self.now : nil))
        #expect(next.completedAt == (next.status == .completed && moved ? Self.now : nil))
        #expect(next.rescheduledTo == (next.status == .rescheduled && moved ? Self.other : nil))
        (same.confirmedAt, same.cancelledAt, same.checkedInAt) = (nil, nil, nil)
        (same.completedAt, same.rescheduledTo) = (nil, nil)
        #expect(same == booking)
    }

    @Test(
        "X-05: what has lapsed can only expire, be paid, or be refused as expired",
        arguments: [Status.pending, .pendingPayment], Ask.allCases)
    func lapsed(_ status: Status, _ ask: Ask) throws {
        var booking = Self.booking(status, .pending, for: ask)
        booking.expiresAt = Self.now
        switch ask {
        case .expire, .paid, .paymentFailed:
            let decision = try BookingRules.decide(booking, ask.command, now: Self.now)
            #expect(decision.booking.version == 5)
        case .confirm, .confirmAndAssign, .cancel:
            #expect(code(booking, ask) == .bookingExpired)
        case .reject, .choose:
            #expect(
                code(booking, ask) == (status == .pending ? .bookingExpired : .invalidTransition))
        default:
            #expect(code(booking, ask) == .invalidTransition)
        }
    }

    @Test("nothing expires before its time, and a confirmed booking never does")
    func notYet() {
        var booking = Self.booking(.pending, .notRequired, for: .confirm)
        #expect(code(booking, .expire) == .invalidTransition)
        booking.status = .pendingPayment
        booking.paymentStatus = .pending
        #expect(code(booking, .expire) == .invalidTransition)
        booking.status = .confirmed
        booking.expiresAt = Self.now
        #expect(code(booking, .expire) == .invalidTransition)
    }

    @Test("X-114: check-in from 12 hours before the start to the end, no-show after the grace")
    func times() {
        let booking = Self.booking(.confirmed, .paid, for: .checkIn)
        let start = Self.now + .seconds(12 * 3600)
        let lead = Duration.seconds(12 * 3600)
        func allows(_ command: BookingCommand) -> Bool {
            do {
                _ = try BookingRules.decide(booking, command, now: Self.now)
                return true
            } catch {
                return error.code != .outsideBookingWindow
            }
        }
        let end = start + .seconds(60)
        #expect(allows(.checkIn(startsAt: start, endsAt: end, lead: lead, until: end)))
        #expect(
            !allows(.checkIn(startsAt: start + .seconds(1), endsAt: end, lead: lead, until: end)))
        #expect(
            !allows(.checkIn(startsAt: start, endsAt: end, lead: lead - .seconds(1), until: end)))
        #expect(!allows(.checkIn(startsAt: start, endsAt: end, lead: lead, until: Self.now)))
        let begun = Self.now - .seconds(60)
        #expect(!allows(.checkIn(startsAt: begun, endsAt: Self.now, lead: lead, until: end)))
        #expect(allows(.noShow(startsAt: Self.now - .seconds(60), grace: .seconds(60))))
        #expect(!allows(.noShow(startsAt: Self.now - .seconds(60), grace: .seconds(61))))
    }

    @Test(
        "a booking without a slot has no appointment",
        arguments: [Ask.checkIn, .noShow, .reschedule])
    func withoutSlot(_ ask: Ask) {
        var booking = Self.booking(.confirmed, .paid, for: ask)
        booking.confirmedSlot = nil
        booking.basis = nil
        #expect(code(booking, ask) == .invalidTransition)
    }

    @Test(
        "X-01: the basis follows from the slot; only an override needs a reason",
        arguments: [
            (first, "", Booking.Basis.firstChoice), (second, "", .secondChoice),
            (other, "teacher is ill", .adminOverride), (other, "", nil), (other, " \n", nil),
        ] as [(UUID, String, Booking.Basis?)])
    func basis(_ slot: UUID, _ reason: String, _ expected: Booking.Basis?) throws {
        for (status, command) in [
            (Status.confirmed, BookingCommand.assign(slot: slot, reason: reason)),
            (.pending, .confirmAndAssign(slot: slot, reason: reason)),
        ] {
            let booking = Self.booking(status, .notRequired, for: .assign)
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

    @Test("X-01: a booking has one slot; another must be asked for by rescheduling")
    func assignedTwice() {
        #expect(code(Self.booking(.confirmed, .paid, for: .cancel), .assign) == .invalidTransition)
    }

    @Test("X-02: without choices every slot is an override, never a match of nothing")
    func noChoices() {
        var booking = Self.booking(.confirmed, .notRequired, for: .assign)
        booking.firstChoice = nil
        booking.secondChoice = nil
        #expect(code(booking, .assign) == .overrideReasonRequired)
    }

    @Test("X-03: needs_slot is confirmed without a slot")
    func derived() {
        for status in Status.allCases {
            for ask in [Ask.assign, .cancel] {
                #expect(
                    Self.booking(status, .pending, for: ask).needsSlot
                        == (status == .confirmed && ask == .assign))
            }
        }
    }

    private func code(_ booking: Booking, _ ask: Ask) -> DomainError.Code? {
        do {
            _ = try BookingRules.decide(booking, ask.command, now: Self.now)
            return nil
        } catch {
            return error.code
        }
    }
}
