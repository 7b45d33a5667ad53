import Domain
import Environment
import Schema
import Testing

@testable import Booking

/// Every order of what can happen to a booking that waits for its payment, or whose visit does not.
@Suite("Payments: every interleaving") struct PaymentInterleavingTests {
    enum Step: String, CaseIterable {
        /// The provider has the money of the first, or the second, charge.
        case pay, payAgain
        case fail
        /// The customer opens a new charge, if none is open.
        case reopen
        case cancel
        /// The time to pay passes.
        case expire
        /// Whatever is due goes back.
        case refund
        /// The customer comes, and goes.
        case checkIn, complete
    }

    /// What a booking is before it is paid.
    enum Start: CaseIterable {
        /// The seat is kept for a while.
        case first
        /// Reviewed by hand, or paid at the desk.
        case owed
    }

    private static let price: Int64 = 100_001

    /// What the desks and stores do, without them.
    private struct World {
        var subject: PaymentCase
        var now = PaymentRulesTests.now
        var moves = 0

        init(_ start: Start) {
            let now = PaymentRulesTests.now
            var booking = Booking(
                id: .random(), offeringID: .random(),
                status: start == .first ? .pendingPayment : .confirmed,
                confirmedSlot: .random(), basis: .customer, expiresAt: now + .seconds(3600),
                createdAt: now, version: 1)
            booking.kind = .appointment
            booking.paymentStatus = .pending
            booking.total = price
            subject = PaymentCase(booking, PaymentAccount())
        }

        mutating func take(_ step: Step) throws {
            let before = subject.booking.version
            switch step {
            case .pay: try report(0, .completed)
            case .payAgain: try report(1, .completed)
            case .fail: try report(0, .failed)
            case .reopen: try reopen()
            case .cancel: try end(.cancel)
            case .expire:
                now = max(now, subject.booking.expiresAt)
                try end(.expire)
            case .refund: try refund()
            case .checkIn:
                try visit(
                    .checkIn(
                        startsAt: now, endsAt: now + .seconds(60), lead: .zero,
                        until: now + .seconds(60)))
            case .complete: try visit(.complete)
            }
            #expect(subject.booking.version <= before + 1 || step == .refund)
        }

        private mutating func report(_ index: Int, _ status: Payment.Status) throws {
            guard index < subject.account.payments.count else { return }
            let payment = subject.account.payments[index]
            let report = PaymentReport(
                payment: payment.id, status: status, amount: payment.amount, currency: "IDR")
            // Twice: the second is a duplicate.
            for _ in 0..<2 {
                guard
                    case .changed(let next) = PaymentRules.apply(
                        report, to: subject.account.payments[index], now: now)
                else { continue }
                _ = try subject.change(next, now: now)
            }
        }

        private mutating func reopen() throws {
            guard subject.account.open == nil,
                let payment = try? PaymentOpening.charge(subject, "midtrans", now)
            else { return }
            _ = try subject.add(payment, now: now)
        }

        private mutating func end(_ command: BookingCommand) throws {
            guard let decision = try? BookingRules.decide(subject.booking, command, now: now) else {
                return
            }
            _ = subject.end(
                decision, .standard, startsAt: nil, actor: "test", reason: "", now: now)
        }

        private mutating func visit(_ command: BookingCommand) throws {
            guard let decision = try? BookingRules.decide(subject.booking, command, now: now) else {
                return
            }
            subject = PaymentCase(decision.booking, subject.account)
        }

        private mutating func refund() throws {
            for var refund in subject.account.refunds where refund.status == .requested {
                refund.status = .completed
                refund.completedAt = now
                _ = try subject.change(refund, now: now)
            }
        }

        /// What must be so after every step.
        func check(_ start: Start, _ steps: [Step]) {
            let (booking, account) = (subject.booking, subject.account)
            var story: String { "\(start): \(steps.map(\.rawValue).joined(separator: ", "))" }
            #expect(BookingState.isLegal(booking.status, booking.paymentStatus), "\(story)")
            #expect(account.charged == account.kept + account.refunded + account.due, "\(story)")
            #expect(account.kept >= 0, "\(story)")
            for payment in account.payments {
                #expect(account.refundable(payment) >= 0, "\(story)")
            }
            #expect(account.payments.count { $0.status == .pending } <= 1, "\(story)")
            switch booking.status {
            case .pendingPayment:
                #expect(account.charged == 0, "unpaid, the seat is held: \(story)")
            case .confirmed where start == .first:
                #expect(account.kept == price, "the seat and its price: \(story)")
                #expect(booking.paymentStatus == .paid, "\(story)")
            case .confirmed, .inProgress, .completed:
                let isPaid = booking.paymentStatus == .paid
                #expect(account.kept == (isPaid ? price : 0), "paid, or owed: \(story)")
                if !isPaid {
                    #expect(start == .owed, "\(story)")
                    #expect(
                        booking.paymentStatus == .pending || booking.status == .confirmed,
                        "\(story)")
                }
            case .cancelled, .expired:
                // Nothing came, or all but the policy's share is due or has gone back.
                let share = booking.status == .cancelled ? price / 10 + 1 : 0
                #expect((0...share).contains(account.kept), "\(account.kept): \(story)")
                if account.charged > 0 {
                    #expect(account.due + account.refunded > 0, "\(story)")
                    #expect(booking.paymentStatus != .pending, "\(story)")
                    #expect(booking.paymentStatus != .failed, "\(story)")
                    if account.due == 0 {
                        #expect(
                            booking.paymentStatus
                                == (account.kept == 0 ? .refunded : .partiallyRefunded),
                            "\(story)")
                    }
                } else {
                    #expect(account.due == 0 && account.refunded == 0, "\(story)")
                }
            default: Issue.record("\(booking.status): \(story)")
            }
        }
    }

    @Test(
        "66,430 stories of up to five steps: seat and paid, refund due or made, unpaid and free",
        arguments: Start.allCases)
    func everyOrder(_ start: Start) throws {
        var stories = 0
        var ends: Set<String> = []
        func walk(_ world: World, _ steps: [Step]) throws {
            world.check(start, steps)
            stories += 1
            ends.insert("\(world.subject.booking.status) \(world.subject.booking.paymentStatus)")
            guard steps.count < 5 else { return }
            for step in Step.allCases {
                var next = world
                try next.take(step)
                try walk(next, steps + [step])
            }
        }
        var first = World(start)
        try first.take(.reopen)
        try walk(first, [])
        #expect(stories == 1 + 9 + 81 + 729 + 6561 + 59_049)
        let visits: Set = ["confirmed paid", "inProgress paid", "completed paid"]
        let cancelled: Set = [
            "cancelled pending", "cancelled failed", "cancelled paid",
            "cancelled partiallyRefunded", "cancelled refunded",
        ]
        let before: Set =
            switch start {
            case .first:
                [
                    "pendingPayment pending", "pendingPayment failed", "expired pending",
                    "expired failed", "expired paid", "expired refunded",
                ]
            case .owed:
                [
                    "confirmed pending", "confirmed failed", "inProgress pending",
                    "completed pending",
                ]
            }
        #expect(ends == visits.union(cancelled).union(before))
    }
}
