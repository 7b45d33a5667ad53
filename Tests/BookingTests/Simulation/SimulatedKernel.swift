import Domain
import Environment
import Schema

@testable import Booking

/// The kernel without a database: its pure rules over tables that are values. A transaction is a
/// copy that takes the place of the original, or does not.
struct SimulatedKernel {
    struct Failure: Error {
        let what: String
    }

    /// A refusal of a transaction that commits nevertheless: what it found lapsed is written down.
    struct Committed: Error {}

    static let price: Int64 = 50_000
    static let terms = PolicyTerms(
        entry: .hold, payment: .online, holdTime: .seconds(600), holdExtensions: 1,
        paymentTime: .seconds(3600), quantityLimit: 3, cancelNotice: .zero,
        rescheduleNotice: .zero, rescheduleLimit: 3, noShowGrace: .seconds(1800), holdLimit: 5,
        checkInLead: .seconds(12 * 3600))

    var now: Instant
    var slots: [Slot] = []
    /// In the order in which they were made, as everything here: a seed must repeat a story.
    var holds: [Hold] = []
    var cases: [PaymentCase] = []
    var answers = IdempotencyTable.Answers()
    var done: [String: UUID] = [:]
    /// Rows of the history, by booking.
    var history: [UUID: Int64] = [:]

    init(at now: Instant) {
        self.now = now
        let offering = Offering(
            id: .random(), code: "VET", title: "Vet", claimAt: .publish, timeZone: "Asia/Jakarta",
            policy: "clinic", price: Self.price)
        for capacity in [1, 2, 5] {
            let start = now + .seconds(3 * 86_400)
            slots.append(
                Slot(
                    id: .random(), offering: offering, resources: [], startsAt: start,
                    endsAt: start + .seconds(3600), capacity: capacity, taken: 0,
                    status: .available, version: 1, demand: 0, isBlocked: false,
                    occupiedFrom: start, occupiedUntil: start + .seconds(3600),
                    timeZone: "Asia/Jakarta", localDate: LocalDate(daysSinceEpoch: 20_000)))
        }
    }

    // MARK: What SQL does

    /// As `BookingStore.open`: what has lapsed in the slots is found dead.
    private mutating func open(_ ids: [UUID], excluding booking: UUID? = nil) -> SeatLedger {
        var freed: [UUID: Int] = [:]
        for index in holds.indices
        where ids.contains(holds[index].slot) && holds[index].status == .pending
            && holds[index].expiresAt <= now
        {
            holds[index].status = .expired
            freed[holds[index].slot, default: 0] += holds[index].quantity
        }
        let lapsed = cases.map(\.booking).filter {
            $0.status == .pendingPayment && $0.expiresAt <= now && $0.id != booking
                && $0.confirmedSlot.map(ids.contains) ?? false
        }
        let found = slots.filter { ids.contains($0.id) }
        return SeatLedger(
            found, versions: found.map { $0.version + 1 }, freed: freed, lapsed: lapsed, at: now)
    }

    /// As `BookingStore.settle`.
    private mutating func settle(_ ledger: SeatLedger) throws {
        for entry in ledger.changed {
            guard let index = slots.firstIndex(where: { $0.id == entry.slot.id }) else { continue }
            guard (0...slots[index].capacity).contains(entry.taken) else {
                throw Failure(what: "\(entry.taken) of \(slots[index].capacity) seats")
            }
            slots[index].taken = entry.taken
            slots[index].version = entry.version
        }
        for booking in ledger.lapsed {
            let decision = try BookingRules.decide(booking, .expire, now: now)
            guard let index = cases.firstIndex(where: { $0.booking.id == booking.id }) else {
                continue
            }
            try write(decision, PaymentCase(decision.booking, cases[index].account))
        }
    }

    private mutating func write(_ decision: BookingDecision?, _ next: PaymentCase) throws {
        guard let index = cases.firstIndex(where: { $0.booking.id == next.booking.id }) else {
            return
        }
        if let decision {
            let version = history[next.booking.id, default: 0] + 1
            guard decision.booking.version == version else {
                throw Failure(what: "version \(decision.booking.version) after \(version - 1)")
            }
            history[next.booking.id] = version
        }
        cases[index] = next
    }

    // MARK: Commands

    mutating func place(_ order: HoldOrder) throws -> UUID {
        var ledger = open([order.slot])
        var decisions = HoldDecisions(
            offers: [
                order.slot: HoldOffer(terms: Self.terms, price: Self.price, currency: "IDR")
            ], answers: answers, live: [:])
        let outcome = decisions.decide(order, &ledger)
        try settle(ledger)
        answers = decisions.answers
        for placed in decisions.placed {
            holds.append(
                Hold(
                    id: placed.order.id, slot: placed.order.slot, quantity: placed.order.quantity,
                    status: .pending, expiresAt: placed.expiresAt, extensions: 0,
                    tokenHash: placed.order.tokenHash, price: placed.price,
                    currency: placed.currency))
        }
        guard case .success(let answer) = outcome else { throw Committed() }
        guard let id = UUID(answer.hold?.id ?? "") else {
            throw Failure(what: "a hold without a name")
        }
        return id
    }

    mutating func release(_ id: UUID) throws {
        guard let index = holds.firstIndex(where: { $0.id == id }) else { return }
        let slot = holds[index].slot
        var ledger = open([slot])
        if let refusal = HoldRules.refusal(holds[index], holds[index].tokenHash) { throw refusal }
        ledger.release(holds[index].quantity, of: slot)
        holds[index].status = .released
        try settle(ledger)
    }

    mutating func confirm(_ order: HoldConfirmation.Order) throws -> UUID {
        let index = holds.firstIndex { $0.id == order.hold }
        let slotID = index.map { holds[$0].slot } ?? order.hold
        let ledger = open([slotID])
        let found = index.map { holds[$0] }
        if let refusal = HoldRules.refusal(found, order.tokenHash) { throw refusal }
        guard let index, let hold = found, let slot = ledger.entries[slotID]?.next else {
            throw HoldRules.expired
        }
        holds[index].status = .confirmed
        let offer = HoldOffer(terms: Self.terms, price: Self.price, currency: "IDR")
        let booking = HoldConfirmation.booking(order, hold, offer, slot, at: now)
        try settle(ledger)
        cases.append(PaymentCase(booking, PaymentAccount()))
        history[booking.id] = 1
        return booking.id
    }

    /// As `BookingTransitions`; what has lapsed is written down as that before the refusal.
    mutating func move(_ id: UUID, _ command: BookingCommand, to slot: UUID? = nil) throws {
        guard let index = cases.firstIndex(where: { $0.booking.id == id }) else { return }
        let before = self
        let booking = cases[index].booking
        let held = command.mayRelease ? booking.confirmedSlot : nil
        var ledger = open([slot, held].compactMap { $0 }, excluding: id)
        let result = Result { () throws(DomainError) in
            try BookingRules.decide(booking, command, now: now)
        }
        if case .failure(let error) = result, error.code == .bookingExpired,
            booking.status != .expired
        {
            self = before
            try move(id, .expire)
            throw Committed()
        }
        let decision = try result.get()
        var subject = cases[index]
        if !PaymentRules.keepsMoney(decision.booking.status), subject.account.charged > 0 {
            _ = subject.end(
                decision, .standard, startsAt: nil, actor: "test", reason: "", now: now)
        } else {
            subject = PaymentCase(decision.booking, subject.account)
        }
        if let slot = decision.releases { ledger.release(booking.quantity, of: slot) }
        let order = BookingTransitions.Order(
            booking: id, slot: slot, command: command, actor: "test")
        if let slot = decision.takes ?? decision.successorSlot(order) {
            try ledger.take(booking.quantity, of: slot)
        }
        try settle(ledger)
        guard let successor = decision.successor(of: booking, order, at: now) else {
            try write(decision, subject)
            return
        }
        try write(decision, PaymentCase(decision.booking, PaymentAccount()))
        cases.append(PaymentCase(successor, subject.account))
        history[successor.id] = 1
    }

    // MARK: Money

    mutating func openCharge(_ id: UUID) throws -> UUID {
        var subject = try find(id)
        if let open = subject.account.open, open.expiresAt > now { return open.id }
        if var old = subject.account.open {
            old.status = .expired
            _ = subject.replace(old)
        }
        let payment = try PaymentOpening.charge(subject, "midtrans", now)
        let consequences = try subject.add(payment, now: now)
        try write(consequences.decision, subject)
        return payment.id
    }

    /// What the provider reports of a charge, whenever that was.
    mutating func take(_ report: PaymentReport) throws {
        guard
            let index = cases.firstIndex(where: {
                $0.account.payments.contains { $0.id == report.payment }
            })
        else { throw Failure(what: "a charge that nobody has") }
        var subject = cases[index]
        guard let payment = subject.account.payments.first(where: { $0.id == report.payment }),
            case .changed(let next) = PaymentRules.apply(report, to: payment, now: now)
        else { return }
        let consequences = try subject.change(next, now: now)
        try write(consequences.decision, subject)
    }

    /// Does one refund that is due.
    /// - Returns: of which charge, and how much.
    mutating func refund(_ id: UUID) throws -> (charge: UUID, amount: Int64)? {
        var subject = try find(id)
        guard var refund = subject.account.refunds.first(where: { $0.status == .requested }) else {
            return nil
        }
        refund.status = .completed
        refund.completedAt = now
        let consequences = try subject.change(refund, now: now)
        try write(consequences.decision, subject)
        return (refund.paymentID, refund.amount)
    }

    private func find(_ id: UUID) throws -> PaymentCase {
        guard let subject = cases.first(where: { $0.booking.id == id }) else {
            throw Failure(what: "no such booking")
        }
        return subject
    }

    // MARK: What must be so

    /// What is wrong; nil when nothing is.
    var fault: String? {
        let seated: Set<Booking.Status> = [
            .pendingPayment, .confirmed, .inProgress, .completed, .noShow,
        ]
        for slot in slots {
            let held = holds.reduce(0) {
                $1.slot == slot.id && $1.status == .pending ? $0 + $1.quantity : $0
            }
            let booked = cases.reduce(0) {
                $1.booking.confirmedSlot == slot.id && seated.contains($1.booking.status)
                    ? $0 + $1.booking.quantity : $0
            }
            if held + booked != slot.taken || slot.taken > slot.capacity {
                return "\(held) held, \(booked) booked, \(slot.taken) of \(slot.capacity) taken"
            }
        }
        for one in cases { if let fault = Self.fault(one) { return fault } }
        return nil
    }

    private static func fault(_ one: PaymentCase) -> String? {
        let (booking, account) = (one.booking, one.account)
        let state = "\(booking.status)/\(booking.paymentStatus), kept \(account.kept)"
        guard BookingState.isLegal(booking.status, booking.paymentStatus), account.kept >= 0,
            account.payments.count(where: { $0.status == .pending }) <= 1,
            account.payments.allSatisfy({ account.refundable($0) >= 0 })
        else { return state }
        switch booking.status {
        case .pendingPayment: return account.charged == 0 ? nil : "unpaid, and has money: \(state)"
        case .confirmed, .inProgress, .completed:
            return account.kept == booking.finalAmount ? nil : "has not its price: \(state)"
        case .expired: return account.kept == 0 ? nil : "paid, no seat, no refund: \(state)"
        case .cancelled:
            let share = booking.finalAmount / 10 + 1
            return (0...share).contains(account.kept) ? nil : "keeps too much: \(state)"
        case .rescheduled: return account.charged == 0 ? nil : "money left behind: \(state)"
        default: return "never: \(state)"
        }
    }
}
