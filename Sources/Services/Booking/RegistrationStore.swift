import Crypto
import Domain
import Environment
import Postgres
import Schema

/// The SQL of registering. One look, then one statement that writes everything or nothing; those
/// who come at the same time share their looks and their transactions.
struct RegistrationStore: Sendable {
    let pool: PostgresPool
    private let looks: Batcher<RegistrationQuestion, Look>
    private let insertions: Batcher<Insertion, Bool>

    /// Registrations that share a transaction at most, and transactions that run at the same time.
    static let batch = 32
    static let concurrency = 3

    init(pool: PostgresPool) {
        self.pool = pool
        looks = Batcher(loop: pool.loop, limit: Self.batch, concurrency: Self.concurrency) {
            await RegistrationQuestion.ask($0, pool)
        }
        insertions = Batcher(loop: pool.loop, limit: Self.batch, concurrency: Self.concurrency) {
            await Insertion.run($0, pool)
        }
    }

    /// What has to be known before a request is stored.
    struct Look: Sendable {
        var replay: Replay?
        var course: Course?
        var slots: [Slot] = []
        /// The person has a pending request for the course.
        var isPending = false

        struct Course: Sendable {
            let offering: Offering
            /// How long a request waits for an admin.
            let requestTime: Duration
            /// By the database's clock, which is the one that a request lapses by.
            let readAt: Instant
        }
    }

    /// What an idempotency key has already made.
    struct Replay: Sendable {
        let requestHash: [UInt8]
        let response: [UInt8]
    }

    func look(
        _ registration: Registration, _ use: IdempotencyTable.Use
    ) async throws -> Look {
        try await looks.submit(RegistrationQuestion(registration, use))
    }

    /// Runs what ``insertion(_:_:policy:_:response:event:)`` has made.
    /// - Returns: false when the key had been used.
    func insert(
        _ statement: SQL, _ registration: Registration, _ use: IdempotencyTable.Use
    ) async throws -> Bool {
        let person = Hex.encode(registration.applicantKey)
        return try await insertions.submit(
            Insertion(use: use, order: "\(registration.courseID) \(person)", statement: statement))
    }

    func findReplay(_ use: IdempotencyTable.Use) async throws -> Replay? {
        try replay(try await pool.query(replaySQL(use)))
    }

    private func replaySQL(_ use: IdempotencyTable.Use) -> SQL {
        """
        select request_hash, response from idempotency_key
        where scope = \(use.scope) and key = \(use.key)
        """
    }

    private func replay(_ rows: PostgresRows) throws -> Replay? {
        try rows.first.map { Replay(requestHash: try $0[0], response: try $0[1]) }
    }

    /// Stores key, booking, person, history and event in one statement. A request with the same
    /// key that is still running is waited for. Answers 0 when the key had been used, else 1.
    ///
    /// What costs something keeps the rules that it was asked for under, for its refunds.
    func insertion(
        _ registration: Registration, _ booking: Booking, policy: String,
        _ use: IdempotencyTable.Use, response: [UInt8], event: OutboxEvent
    ) -> SQL {
        let request = registration.request
        let range = request.preferredTimeRange
        let terms: SQL =
            booking.total > 0
            ? "(select \(PolicyTerms.snapshot) from policy p where p.code = \(policy))"
            : "'{}'::jsonb"
        return """
            with key as (
                insert into idempotency_key (scope, key, request_hash, response, created_at)
                select \(use.scope), \(use.key), \(use.requestHash), \(response), \(use.at)
                from \(IdempotencyTable.held(use))
                on conflict do nothing returning 1
            ), created as (
                insert into booking (id, offering_id, applicant_key, status,
                    first_choice_slot_id, second_choice_slot_id, expires_at, created_at,
                    total, currency, policy)
                select \(booking.id), \(booking.offeringID),
                    \(registration.applicantKey), 'pending',
                    \(nullable: booking.firstChoice), \(nullable: booking.secondChoice), \(booking.expiresAt),
                    \(booking.createdAt), \(booking.total)::bigint, \(booking.currency), \(terms)
                from key returning id
            ), person as (
                insert into registration (booking_id, full_name, email, address, birth_place,
                    birth_date, school, class, guardian_name, guardian_wa_number, consent_at,
                    experience_level, preferred_days, preferred_start, preferred_end,
                    payment_proof)
                select id, \(request.fullName), \(request.email), \(request.address),
                    \(request.birthPlace), \(registration.birthDate), \(request.school),
                    \(request.`class`)::int, \(request.guardianName), \(request.guardianWaNumber),
                    \(booking.createdAt), \(request.experienceLevel), \(request.preferredDays),
                    \(nullable: range?.start), \(nullable: range?.end), \(nullable: registration.proof?.description)
                from created
            ), story as (
                insert into booking_history (booking_id, at, to_status, actor, action, version)
                select id, \(booking.createdAt), 'pending', 'public', 'created', 1 from created
            ), news as (
                insert into outbox (topic, key, event_id, body)
                select \(event.topic), \(event.id), \(event.eventID), \(event.envelope) from created
            )
            select count(*) from created
            """
    }
}
