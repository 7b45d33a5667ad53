import Domain
import Environment
import Postgres
import Schema

/// Makes a booking of a hold, once (E-20, X-89): hold, booking, person, history, events and key in
/// one transaction. The seats stay where they are.
struct HoldConfirmation: Sendable {
    let store: HoldStore

    /// A request whose fields have been checked.
    struct Order: Sendable {
        let hold: UUID
        let tokenHash: [UInt8]
        let request: BookingV1.ConfirmHoldRequest
        let use: IdempotencyTable.Use?
        let booking: UUID

        init(
            _ request: BookingV1.ConfirmHoldRequest, use: IdempotencyTable.Use?, at now: Instant
        ) throws(DomainError) {
            var rules = FieldRules()
            let hold = rules.uuid(request.holdId, "hold_id")
            rules.text(request.token, "token", limit: 100)
            rules.text(request.fullName, "full_name", limit: 200)
            rules.email(request.email, "email")
            rules.text(request.subjectName, "subject_name", limit: 200, required: false)
            rules.text(request.subjectKind, "subject_kind", limit: 100, required: false)
            rules.text(request.notes, "notes", limit: 2000, required: false)
            rules.text(request.idempotencyKey, "idempotency_key", limit: 200)
            if !Self.isPhone(request.phone) {
                rules.refuse("phone", "is not + and 8 to 15 digits")
            }
            guard rules.areKept, let hold else { throw rules.refusal }
            guard request.consent else {
                throw DomainError(
                    .consentRequired, "the booking needs consent",
                    violations: [DomainError.Violation("consent", "must be true")])
            }
            self.hold = hold
            tokenHash = BookingTokens.digest(request.token)
            self.request = request
            self.use = use
            booking = .timeOrdered(now)
        }

        /// E.164.
        private static func isPhone(_ text: String) -> Bool {
            let digits = text.utf8.dropFirst()
            return text.utf8.first == UInt8(ascii: "+") && (8...15).contains(digits.count)
                && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }

        var applicantKey: [UInt8] { Applicant.key(email: request.email) }
    }

    /// - Throws: HOLD_NOT_FOUND, HOLD_TOKEN_MISMATCH, HOLD_EXPIRED, INVALID_TRANSITION for a hold
    ///   that has become a booking, SLOT_UNAVAILABLE once the slot has been withdrawn or has a
    ///   price that nobody can pay, SLOT_ALREADY_BOOKED_BY_USER.
    func run(_ order: Order) async throws -> BookingV1.ConfirmHoldResponse {
        try await IdempotencyTable.perform(order.use, on: store.pool) { transaction, last in
            try await attempt(order, transaction, &last)
        }
    }

    private func attempt(
        _ order: Order, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> BookingV1.ConfirmHoldResponse {
        let slotID = try await store.slot(of: order.hold, transaction)
        let (ledger, _, rows) = try await store.seats.open(
            [slotID],
            after: [
                store.find(order.hold), HoldOffer.select([slotID]),
                """
                select id from booking where confirmed_slot_id = \(slotID)
                  and applicant_key = \(order.applicantKey)
                  and status in ('pending_payment', 'confirmed', 'in_progress')
                  and (status <> 'pending_payment' or expires_at > clock_timestamp())
                """,
            ], transaction)
        let found = try rows[0].first.map(Hold.read)
        let offer = try HoldOffer.read(rows[1])[slotID]
        if offer?.isWithdrawn == true { try HoldRules.refuseWithdrawn(found, order.tokenHash) }
        if let refusal = HoldRules.refusal(found, order.tokenHash) { throw refusal }
        guard let hold = found, let offer, let slot = ledger.entries[slotID]?.next
        else { throw DomainError(.holdNotFound, "there is no such hold") }
        try HoldRules.check(price: hold.price(offer))
        guard rows[2].isEmpty else {
            throw DomainError(
                .slotAlreadyBookedByUser, "there is a booking of this slot for this e-mail already")
        }
        // Expired between the two statements: nothing has happened.
        guard try await transaction.execute(store.confirm(hold.id, order.tokenHash)) == 1 else {
            throw HoldRules.expired
        }
        let booking = Self.booking(order, hold, offer, slot, at: ledger.at)
        let settlement = try await store.seats.settle(ledger, transaction, &last)
        last += inserts(order, booking, slotID, at: ledger.at)
        let events = BookingEvents.appointment(booking, slot, at: ledger.at)
        last.append(Outbox.insert(events + settlement.events))
        var response = BookingV1.ConfirmHoldResponse()
        response.booking = BookingV1.Booking(booking)
        response.slot = BookingV1.Slot(settlement.slots[slotID] ?? slot)
        return response
    }

    /// Confirmed at once when nothing is to be paid before; else the seats are kept for the time
    /// that the policy gives to pay. The price is the one that was held.
    static func booking(
        _ order: Order, _ hold: Hold, _ offer: HoldOffer, _ slot: Slot, at now: Instant
    ) -> Booking {
        let total = Money.times(hold.price(offer), hold.quantity)
        let (status, payment): (Booking.Status, Booking.PaymentStatus) =
            switch offer.terms.payment {
            case _ where total == 0: (.confirmed, .notRequired)
            case .notRequired: (.confirmed, .notRequired)
            case .atDesk: (.confirmed, .pending)
            case .manual, .online: (.pendingPayment, .pending)
            }
        var booking = Booking(
            id: order.booking, offeringID: slot.offering.id, status: status,
            confirmedSlot: slot.id, basis: .customer, expiresAt: now + offer.terms.paymentTime,
            confirmedAt: status == .confirmed ? now : nil, createdAt: now, version: 1,
            offeringCode: slot.offering.code)
        (booking.kind, booking.paymentStatus) = (.appointment, payment)
        (booking.quantity, booking.holdID) = (hold.quantity, hold.id)
        (booking.total, booking.currency) = (total, hold.currency(offer))
        return booking
    }

    private func inserts(
        _ order: Order, _ booking: Booking, _ slot: UUID, at now: Instant
    ) -> [SQL] {
        let request = order.request
        return [
            """
            insert into booking (id, offering_id, applicant_key, status, payment_status,
                confirmed_slot_id, assignment_basis, expires_at, confirmed_at, created_at, kind,
                quantity, hold_id, total, currency, notes, policy)
            select \(booking.id), \(booking.offeringID), \(order.applicantKey),
                \(booking.status.rawValue), \(booking.paymentStatus.rawValue), \(slot), 'customer',
                \(booking.expiresAt), \(nullable: booking.confirmedAt), \(now), 'appointment',
                \(booking.quantity)::int, \(nullable: booking.holdID), \(booking.total)::bigint,
                \(booking.currency), \(request.notes), \(PolicyTerms.snapshot)
            from offering o join policy p on p.code = o.policy where o.id = \(booking.offeringID)
            """,
            """
            insert into contact (booking_id, full_name, email, phone, subject_name, subject_kind)
            values (\(booking.id), \(request.fullName), \(request.email), \(request.phone),
                \(request.subjectName), \(request.subjectKind))
            """,
            """
            insert into booking_history
                (booking_id, at, to_status, actor, action, version, payment_status)
            values (\(booking.id), \(now), \(booking.status.rawValue), 'public', 'created', 1,
                \(booking.paymentStatus.rawValue))
            """,
        ]
    }
}
