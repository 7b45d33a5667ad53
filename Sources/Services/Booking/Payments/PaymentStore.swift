import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// The SQL of charges and refunds. Lock order: booking, then its charges by id; refunds are locked
/// with their charge.
struct PaymentStore: Sendable {
    let pool: PostgresPool

    // MARK: Finding

    /// The booking that has a charge's money now: the last one that was rescheduled to.
    func holder(of booking: UUID, _ transaction: PostgresTransaction) async throws -> UUID? {
        try await transaction.query(
            """
            \(BookingTables.inUse.line(from: booking, by: "rescheduled_to"))
            select id from line where next is null
            """
        ).first.map { try $0[0] }
    }

    func payment(_ id: UUID) async throws -> Payment? {
        try await pool.query(
            "select \(PaymentRow.columns) from payment_record p where p.id = \(id)"
        ).first.map(PaymentRow.read)
    }

    func bookingID(ofRefund id: UUID, _ transaction: PostgresTransaction) async throws -> UUID? {
        try await transaction.query(
            """
            select p.booking_id from refund r join payment_record p on p.id = r.payment_id
            where r.id = \(id)
            """
        ).first.map { try $0[0] }
    }

    /// All money of a booking and of those whose place it has taken, locked, and the time then.
    func account(of booking: UUID, _ transaction: PostgresTransaction) async throws
        -> (PaymentAccount, Instant)
    {
        let rows = try await transaction.batch([
            "select \(PaymentRow.columns) \(Self.line(booking)) order by p.id for update of p",
            """
            select \(RefundRow.columns) from refund r
            where r.payment_id in (select p.id \(Self.line(booking))) order by r.id
            """,
            "select clock_timestamp()",
        ])
        return (
            try PaymentAccount(
                payments: rows[0].map(PaymentRow.read).sorted { $0.createdAt < $1.createdAt },
                refunds: rows[1].map(RefundRow.read)),
            try rows[2].single()[0]
        )
    }

    /// The same without locks, of bookings in the archive too.
    func account(of booking: UUID) async throws -> PaymentAccount {
        try await BookingTables.first { tables in
            let account = try await account(of: booking, in: tables)
            return account.payments.isEmpty ? nil : account
        } ?? PaymentAccount(payments: [], refunds: [])
    }

    private func account(
        of booking: UUID, in tables: BookingTables
    ) async throws -> PaymentAccount {
        let line = Self.line(booking, tables)
        let rows = try await pool.atomically(
            [
                "select \(PaymentRow.columns(tables)) \(line)",
                """
                select \(RefundRow.columns) from refund\(tables.suffix) r
                where r.payment_id in (select p.id \(line))
                order by r.requested_at, r.id
                """,
            ], options: .readOnly)
        return try PaymentAccount(
            payments: rows[0].map(PaymentRow.read).sorted { $0.createdAt < $1.createdAt },
            refunds: rows[1].map(RefundRow.read))
    }

    private static func line(_ booking: UUID, _ tables: BookingTables = .inUse) -> SQL {
        """
        from payment_record\(tables.suffix) p where p.booking_id in (
            \(tables.line(from: booking, by: "rescheduled_from")) select id from line)
        """
    }

    /// The rules of cancelling that were kept with the booking, or else those of its offering now,
    /// and when it starts.
    func terms(of booking: UUID, _ transaction: PostgresTransaction) async throws
        -> (policy: CancellationPolicy, startsAt: Instant?)
    {
        let row = try await transaction.query(
            """
            select coalesce(b.policy -> 'cancellation', jsonb_build_object(
                'code', k.cancellation,
                'tiers', (select coalesce(jsonb_agg(jsonb_build_object(
                    'notice_seconds', t.notice_seconds, 'refund_percent', t.refund_percent)), '[]')
                    from cancellation_tier t where t.policy = k.cancellation))),
                (select s.starts_at from slot s where s.id = b.confirmed_slot_id)
            from booking b join offering o on o.id = b.offering_id
            join policy k on k.code = o.policy where b.id = \(booking)
            """
        ).single()
        let text: JSONText = try row[0]
        let json = try JSONValue.parse(Array(text.text.utf8))
        guard let policy = CancellationPolicy(json: json) else {
            throw DomainError(
                .internal, "the booking's cancellation policy cannot be read", blame: .us,
                cause: text.text)
        }
        return (policy, try row[1])
    }

    // MARK: Charges

    func insert(_ payment: Payment, nextQuestion: Instant?) -> SQL {
        """
        insert into payment_record (id, booking_id, provider, provider_payment_id, method, amount,
            currency, status, payment_url, expires_at, paid_at, fee, created_at, updated_at,
            next_question_at, metadata)
        values (\(payment.id), \(payment.bookingID), \(payment.provider),
            \(nullable: payment.providerPaymentID), \(payment.method), \(payment.amount),
            \(payment.currency), \(payment.status.rawValue), \(nullable: payment.url),
            \(payment.expiresAt), \(nullable: payment.paidAt), \(payment.fee),
            \(payment.createdAt), \(payment.createdAt), \(nullable: nextQuestion),
            case when \(payment.reference)::text = '' then '{}'::jsonb
                else jsonb_build_object('reference', \(payment.reference)::text) end)
        """
    }

    /// A charge after a report or a review; nothing is asked about it any more once it is over.
    func update(_ payment: Payment, at: Instant) -> SQL {
        """
        update payment_record set status = \(payment.status.rawValue), method = \(payment.method),
            provider_payment_id = \(nullable: payment.providerPaymentID),
            paid_at = \(nullable: payment.paidAt), fee = \(payment.fee),
            failure = \(payment.failure), updated_at = \(at),
            version = \(payment.version),
            next_question_at = case when \(payment.status == .pending) then next_question_at end
        where id = \(payment.id)
        """
    }

    /// A refund of the charge has changed.
    func touch(_ payment: UUID) -> SQL {
        "update payment_record set version = version + 1 where id = \(payment)"
    }

    func setPage(_ page: PaymentPage, of payment: UUID) -> SQL {
        """
        update payment_record set payment_url = \(page.url), updated_at = clock_timestamp(),
            provider_payment_id = coalesce(\(nullable: page.providerPaymentID), provider_payment_id)
        where id = \(payment)
        """
    }

    // MARK: Refunds

    func insert(_ refund: Refund) -> SQL {
        """
        insert into refund (id, payment_id, amount, reason, actor, status, idempotency_key,
            requested_at, next_attempt_at)
        values (\(refund.id), \(refund.paymentID), \(refund.amount), \(refund.reason),
            \(refund.actor), \(refund.status.rawValue), \(refund.key), \(refund.requestedAt),
            \(nullable: refund.nextAttempt))
        """
    }

    func update(_ refund: Refund) -> SQL {
        """
        update refund set status = \(refund.status.rawValue), failure = \(refund.failure),
            completed_at = \(nullable: refund.completedAt),
            provider_refund_id = \(nullable: refund.providerRefundID),
            next_attempt_at = \(nullable: refund.nextAttempt)
        where id = \(refund.id)
        """
    }

    // MARK: Callbacks

    /// What became of the same bytes before; nil when they are new.
    func outcome(_ provider: String, _ digest: [UInt8]) async throws -> String? {
        try await pool.query(
            """
            update payment_event set times = times + 1, last_received_at = clock_timestamp()
            where provider = \(provider) and digest = \(digest) returning outcome
            """
        ).first.map { try $0[0] }
    }

    func record(_ event: PaymentEvent) -> SQL {
        """
        insert into payment_event
            (provider, digest, payment_id, said, outcome, received_at, last_received_at)
        values (\(event.provider), \(event.digest), \(nullable: event.payment), \(event.said),
            \(event.outcome.rawValue), clock_timestamp(), clock_timestamp())
        on conflict (provider, digest) do update set outcome = excluded.outcome
        """
    }

    /// Deletes what is kept of callbacks that came long ago. Nothing depends on it: a report that
    /// comes again changes nothing, since a charge never goes back.
    /// - Returns: how many it deleted.
    func forgetEvents(limit: Int) async throws -> Int {
        try await pool.execute(
            """
            delete from payment_event where id in (
                select id from payment_event
                where received_at < clock_timestamp() - interval '180 days'
                order by received_at limit \(limit)::int for update skip locked)
            """)
    }

    // MARK: What is to be done

    /// Charges that their providers should be asked about, and whether their time is up. The next
    /// time is set at once, so that no other process asks too, and a crash does not forget it.
    func questions(limit: Int) async throws -> [(Payment, isOver: Bool)] {
        try await pool.query(
            """
            update payment_record p set questions = p.questions + 1, next_question_at = case
                when clock_timestamp() > p.expires_at + interval '7 days' then null
                else least(clock_timestamp() + interval '1 minute' * (1 << least(p.questions, 9)),
                    greatest(p.expires_at + interval '30 seconds',
                        clock_timestamp() + interval '1 minute')) end
            where p.id in (
                select id from payment_record where next_question_at <= clock_timestamp()
                order by next_question_at limit \(limit)::int for update skip locked)
            returning \(PaymentRow.columns), p.expires_at <= clock_timestamp()
            """
        ).map { (try PaymentRow.read($0), try $0[PaymentRow.count]) }
    }

    /// Refunds that their providers should be told about.
    func refundsToMake(limit: Int) async throws -> [(Refund, Payment)] {
        let rows = try await pool.query(
            """
            update refund r set attempts = r.attempts + 1, next_attempt_at =
                clock_timestamp() + interval '30 seconds' * (1 << least(r.attempts, 9))
            from payment_record p
            where p.id = r.payment_id and r.id in (
                select id from refund where next_attempt_at <= clock_timestamp()
                order by next_attempt_at limit \(limit)::int for update skip locked)
            returning \(RefundRow.columns), \(PaymentRow.columns)
            """)
        return try rows.map {
            (try RefundRow.read($0), try PaymentRow.read($0, from: RefundRow.count))
        }
    }

    func proofsToReview() async throws -> [Payment] {
        try await pool.query(
            """
            select \(PaymentRow.columns) from payment_record p
            where p.provider = 'manual' and p.status = 'pending' order by p.created_at limit 200
            """
        ).map(PaymentRow.read)
    }

    func refundsByHand() async throws -> [(Refund, Payment)] {
        try await pool.query(
            """
            select \(RefundRow.columns), \(PaymentRow.columns)
            from refund r join payment_record p on p.id = r.payment_id
            where r.status = 'requested' and r.next_attempt_at is null
            order by r.requested_at limit 200
            """
        ).map { (try RefundRow.read($0), try PaymentRow.read($0, from: RefundRow.count)) }
    }
}

/// What is kept of a callback, or of an answer that nobody expected.
struct PaymentEvent: Sendable {
    enum Outcome: String, Sendable {
        case applied, repeated, unconfirmed
        case unknownPayment = "unknown_payment"
        case wrongAmount = "wrong_amount"
        case wrongCurrency = "wrong_currency"
        case otherPayment = "other_payment"
        /// The provider has made a refund that a person had settled.
        case unexpectedRefund = "unexpected_refund"
    }

    let provider: String
    let digest: [UInt8]
    var payment: UUID?
    let said: String
    var outcome: Outcome
}
