import Domain
import Environment
import Postgres
import Schema

/// Writes down changes to the money of one booking, each in one transaction with what follows for
/// the booking: its payment status, its history, refunds that become due, and the events.
struct PaymentDesk: Sendable {
    let store: PaymentStore
    let bookings: BookingStore

    init(pool: PostgresPool) {
        store = PaymentStore(pool: pool)
        bookings = BookingStore(pool: pool)
    }

    /// Locks the booking that has the money of `booking` now, and all its charges.
    /// - Returns: the time with it, by the database's clock once all locks were had: what lapses
    ///   does so by one clock.
    /// - Throws: BOOKING_NOT_FOUND.
    func lock(
        _ booking: UUID, _ transaction: PostgresTransaction
    ) async throws -> (PaymentCase, Instant) {
        var wanted = booking
        while true {
            guard let holder = try await store.holder(of: wanted, transaction),
                let locked = try await transaction.query(
                    "select \(BookingRow.columns) from booking b where b.id = \(holder) for update"
                ).first.map(BookingRow.read)
            else { throw try await bookings.missing(wanted, transaction) }
            // It may have been rescheduled while the lock was waited for.
            if let next = locked.rescheduledTo {
                wanted = next
                continue
            }
            let (account, now) = try await store.account(of: holder, transaction)
            return (PaymentCase(locked, account), now)
        }
    }

    /// Nobody is asked to pay for what does not take place. Without the slot's lock, which comes
    /// before the booking's: a charge that is opened while the slot is withdrawn came before.
    /// - Throws: SLOT_UNAVAILABLE when the slot that the booking is still to have was withdrawn.
    func requireSlot(of booking: Booking, _ transaction: PostgresTransaction) async throws {
        guard booking.status == .pendingPayment || booking.status == .confirmed,
            let slot = booking.confirmedSlot
        else { return }
        let withdrawn = try await transaction.query(
            "select 1 from slot where id = \(slot) and withdrawn_at is not null")
        guard withdrawn.isEmpty else { throw Slot.withdrawn }
    }

    // MARK: Charges

    /// Writes a changed charge and all that follows.
    func change(
        _ payment: Payment, of subject: inout PaymentCase, actor: String, _ now: Instant,
        _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        let before = subject.booking
        let consequences = try subject.change(payment, now: now)
        guard let stored = subject.account.payments.first(where: { $0.id == payment.id }) else {
            return
        }
        // With the version of this change; refunds that follow count on.
        var changed = stored
        changed.version -= Int64(consequences.refunds.count)
        _ = try await transaction.execute(store.update(changed, at: now))
        last.append(Outbox.insert([PaymentEvents.payment(changed, subject.booking, at: now)]))
        try await insert(consequences.refunds, of: subject, now, transaction, &last)
        write(
            consequences.decision, from: before, actor: actor, reason: payment.failure, now, &last)
    }

    /// Adds a charge.
    func add(
        _ payment: Payment, to subject: inout PaymentCase, nextQuestion: Instant?, actor: String,
        reason: String = "", _ now: Instant, _ transaction: PostgresTransaction,
        _ last: inout [SQL]
    ) async throws {
        let before = subject.booking
        let consequences = try subject.add(payment, now: now)
        _ = try await transaction.execute(store.insert(payment, nextQuestion: nextQuestion))
        last.append(Outbox.insert([PaymentEvents.payment(payment, subject.booking, at: now)]))
        write(consequences.decision, from: before, actor: actor, reason: reason, now, &last)
    }

    /// Adds what was paid at the desk, all that is due. A charge that is open is over by that: its
    /// proof is not reviewed any more, and money that still comes by its page goes back.
    /// - Throws: BOOKING_EXPIRED, INVALID_TRANSITION where nothing is due, VALIDATION_FAILED for
    ///   another amount.
    func record(
        _ amount: Int64, by method: String, reference: String, in subject: inout PaymentCase,
        actor: String, _ now: Instant, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> Payment {
        var payment = try PaymentOpening.charge(subject, Payment.desk, now)
        guard amount == payment.amount else {
            throw DomainError(
                .validationFailed, "\(payment.amount) is due, not \(amount)",
                violations: [
                    DomainError.Violation("amount", "is not what is due: \(payment.amount)")
                ])
        }
        if var open = subject.account.open {
            open.status = open.isByHand ? .failed : .expired
            open.failure = "paid at the desk"
            try await replace(open, in: &subject, now, transaction, &last)
        }
        payment.status = .completed
        (payment.method, payment.reference, payment.paidAt) = (method, reference, now)
        try await add(
            payment, to: &subject, nextQuestion: nil, actor: actor,
            reason: reference.isEmpty ? method : "\(method), \(reference)", now, transaction, &last)
        return payment
    }

    /// Ends the open charge before another one is added; the booking goes on waiting.
    func replace(
        _ payment: Payment, in subject: inout PaymentCase, _ now: Instant,
        _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        let stored = subject.replace(payment)
        _ = try await transaction.execute(store.update(stored, at: now))
        last.append(Outbox.insert([PaymentEvents.payment(stored, subject.booking, at: now)]))
    }

    // MARK: Refunds

    /// Makes refunds due.
    func request(
        _ quote: CancellationQuote, reason: String, key: String, actor: String,
        of subject: inout PaymentCase, _ now: Instant, _ transaction: PostgresTransaction,
        _ last: inout [SQL]
    ) async throws -> [Refund] {
        let refunds = subject.request(quote, reason: reason, key: key, actor: actor, now: now)
        try await insert(refunds, of: subject, now, transaction, &last)
        return refunds
    }

    /// In the transaction that ends a booking: what the customer gets back becomes due.
    ///
    /// - Parameter booking: as it was, locked behind its slot.
    func requestAtEnd(
        _ booking: Booking, _ decision: BookingDecision, actor: String, reason: String,
        _ now: Instant, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        guard booking.paymentStatus == .paid || booking.paymentStatus == .partiallyRefunded else {
            return
        }
        let terms = try await store.terms(of: booking.id, transaction)
        let (account, _) = try await store.account(of: booking.id, transaction)
        var subject = PaymentCase(booking, account)
        let refunds = subject.end(
            decision, terms.policy, startsAt: terms.startsAt, actor: actor, reason: reason,
            now: now)
        try await insert(refunds, of: subject, now, transaction, &last)
    }

    /// Writes what became of a refund and all that follows.
    func change(
        _ refund: Refund, of subject: inout PaymentCase, actor: String, _ now: Instant,
        _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        let before = subject.booking
        let consequences = try subject.change(refund, now: now)
        guard let payment = subject.charge(of: refund) else { return }
        _ = try await transaction.batch([store.update(refund), store.touch(payment.id)])
        last.append(
            Outbox.insert([PaymentEvents.refund(refund, of: payment, subject.booking, at: now)]))
        write(
            consequences.decision, from: before, actor: actor, reason: refund.failure, now, &last)
    }

    private func insert(
        _ refunds: [Refund], of subject: PaymentCase, _ now: Instant,
        _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        for refund in refunds {
            guard let payment = subject.charge(of: refund) else { continue }
            _ = try await transaction.batch([store.insert(refund), store.touch(payment.id)])
            last.append(
                Outbox.insert([
                    PaymentEvents.refund(refund, of: payment, subject.booking, at: now)
                ]))
        }
    }

    /// The booking's move: its row, its history, and what others are told.
    private func write(
        _ decision: BookingDecision?, from booking: Booking, actor: String, reason: String,
        _ now: Instant, _ last: inout [SQL]
    ) {
        guard let decision else { return }
        last.append(bookings.update(decision))
        last.append(
            bookings.history(
                decision, from: booking.status, actor: actor, reason: reason, at: now))
        let events = BookingEvents.of(decision, from: booking, by: actor, at: now)
        if !events.isEmpty { last.append(Outbox.insert(events)) }
    }
}
