public import Environment
import Loop
public import Postgres
public import Protobuf
import Schema

/// Keys of mutations, each in the transaction of what it guards, with the answer: no key is ever
/// stuck, the same request gets the same answer, and a twin that runs at the same time is waited
/// for (X-09, reliability promises 6 and 7).
///
/// ```swift
/// let use = IdempotencyTable.Use(request.idempotencyKey, for: request, context, at: clock.now())
/// let response: BookingV1.ConfirmResponse = try await IdempotencyTable.perform(use, on: pool) {
///     transaction, last in
///     …                                   // locks, rules, writes; throwing leaves no key behind
///     last.append(Outbox.insert(events))  // travels with the COMMIT
///     return response
/// }
/// ```
/// Refusals are not stored: a retry of what was refused can succeed. What is stored is what the
/// caller was told, so it must hold no secret that is kept as a hash elsewhere.
public enum IdempotencyTable {
    /// How long an answer is kept.
    public static let retention = Duration.seconds(7 * 24 * 3600)

    /// The table; part of a migration of every service that has mutations with keys.
    ///
    /// Never partitioned by time: PostgreSQL wants the partition key in every unique one, and a
    /// key that is used in two months would be unique in neither. Old rows are deleted in
    /// batches instead.
    public static let tables = """
        create table idempotency_key (
            scope text not null,
            key text not null,
            request_hash bytea not null,
            response bytea not null,
            created_at timestamptz not null,
            primary key (scope, key)
        );
        create index idempotency_key_age on idempotency_key (created_at);

        """

    /// Takes the key, or finds what it was answered with. A twin that is still running is waited
    /// for, as long as the session's `lock_timeout` (2 s in every service).
    ///
    /// First of the transaction: whoever waits here holds no other lock. Locked as by
    /// ``lock(_:)``, so that who runs alone and who shares a transaction have one order.
    /// - Returns: the stored answer; nil when the key is new, then ``store(_:for:)`` belongs into
    ///   the same transaction.
    /// - Throws: IDEMPOTENCY_KEY_REUSED when the key was used for another request;
    ///   `PostgresError` with `lock_not_available`, which is REQUEST_IN_PROGRESS, for a long twin.
    public static func begin(
        _ use: Use, _ transaction: PostgresTransaction
    ) async throws -> [UInt8]? {
        let inserted = try await transaction.execute(
            """
            insert into idempotency_key (scope, key, request_hash, response, created_at)
            select \(use.scope), \(use.key), \(use.requestHash), ''::bytea, \(use.at)
            from \(held(use))
            on conflict do nothing
            """)
        if inserted == 1 { return nil }
        let rows = try await transaction.query(
            """
            select request_hash, response from idempotency_key
            where scope = \(use.scope) and key = \(use.key)
            """)
        // Forgotten between the two statements: as good as new, but this transaction has not got it.
        guard let row = rows.first else { throw inProgress }
        let (hash, response): ([UInt8], [UInt8]) = try (row[0], row[1])
        guard hash == use.requestHash || PlantedBug.keyWithoutHash.isPlanted else { throw reused }
        use.markReplayed()
        return response
    }

    /// Takes the locks of keys that share a transaction, in one order; first of its statements. A
    /// twin of any of them is waited for here, and has committed its answer or ended without one.
    public static func lock(_ uses: [Use]) -> SQL {
        AdvisoryLock.take(PlantedBug.keyNotLocked.isPlanted ? [] : uses.map(\.lock))
    }

    /// One row, when the lock of the key is held: what a statement that writes the key selects
    /// from.
    public static func held(_ use: Use) -> SQL {
        PlantedBug.keyNotLocked.isPlanted
            ? "(select 1) held"
            : "(select pg_advisory_xact_lock(\(use.lock)::bigint) offset 0) held"
    }

    /// Keeps the answer for a key that ``begin(_:_:)`` has taken in this transaction.
    public static func store(_ response: [UInt8], for use: Use) -> SQL {
        """
        update idempotency_key set response = \(response)
        where scope = \(use.scope) and key = \(use.key)
        """
    }

    /// Waits for a twin and then holds the key until the transaction ends, without a row of its
    /// own: for what asks another service meanwhile, since a transaction that has written holds back
    /// everybody's events.
    /// - Returns: what the key was answered with; when it has not been used,
    ///   ``keep(_:at:)`` belongs into the same transaction.
    public static func hold(
        _ use: Use, _ transaction: PostgresTransaction
    ) async throws -> Answers {
        try Answers(try await transaction.batch([lock([use]), answers([use])])[1])
    }

    /// What the key was answered with; nil when it is new, or its first use still runs. No lock, no
    /// wait: for what is looked at before anything is done that no transaction takes back.
    /// - Throws: IDEMPOTENCY_KEY_REUSED.
    public static func answered<Response: Message>(
        _ use: Use?, on pool: PostgresPool
    ) async throws -> Response? {
        guard let use else { return nil }
        return try Answers(try await pool.query(answers([use]))).answer(to: use)
            .map { try Response(decoding: $0) }
    }

    /// Forgets the use of a key whose effect is taken back by the same transaction.
    public static func release(_ use: Use) -> SQL {
        "delete from idempotency_key where scope = \(use.scope) and key = \(use.key)"
    }

    /// One mutation in an open transaction, which is committed: nothing may follow.
    ///
    /// - Parameters:
    ///   - use: nil runs `body` without a key.
    ///   - body: appends to its argument what may travel with the COMMIT; returns the answer.
    /// - Returns: the answer of `body`, or of the key's first use, the same byte for byte.
    public static func run<Response: Message>(
        _ use: Use?, _ transaction: PostgresTransaction,
        _ body: (inout [SQL]) async throws -> Response
    ) async throws -> Response {
        if let use, let answered = try await begin(use, transaction) {
            return try Response(decoding: answered)
        }
        var last: [SQL] = []
        let response = try await body(&last)
        let bytes = response.encoded()
        if let use, !PlantedBug.answerNotKept.isPlanted { last.append(store(bytes, for: use)) }
        try await transaction.commit(with: last)
        return response
    }

    /// One mutation in a transaction of its own. When the answer to its COMMIT is lost, the key is
    /// written again, which waits for the lost transaction and then tells what became of it: a
    /// look-up could come before the end of a commit that still happens.
    ///
    /// - Parameter deadline: for everything; the pool's for a query when nil.
    /// - Throws: what `body` throws, or `PostgresError`: ambiguous only without a key, or when the
    ///   database did not come back in time. The caller's own retry settles that.
    public static func perform<Response: Message>(
        _ use: Use?, on pool: PostgresPool, deadline: Deadline? = nil,
        _ body: (PostgresTransaction, inout [SQL]) async throws -> Response
    ) async throws -> Response {
        var isRetry = false
        return try await settling(on: pool, deadline: deadline, if: use != nil) { deadline in
            var use = use
            if PlantedBug.retryBySelect.isPlanted, isRetry, let lost = use {
                let rows = try await pool.query(
                    """
                    select response from idempotency_key
                    where scope = \(lost.scope) and key = \(lost.key)
                    """)
                if let row = rows.first { return try Response(decoding: try row[0] as [UInt8]) }
                use = nil
            }
            isRetry = true
            if PlantedBug.retryUnderNewKey.isPlanted { use?.key += UUID.random().description }
            if PlantedBug.keyOutsideTransaction.isPlanted, let taken = use {
                let answered = try await pool.transaction { try await begin(taken, $0) }
                if let answered { return try Response(decoding: answered) }
                use = nil
            }
            var answer: Response?
            do {
                return try await pool.transaction(deadline: deadline) { transaction in
                    try await run(use, transaction) { last in
                        let response = try await body(transaction, &last)
                        if PlantedBug.answerBeforeCommit.isPlanted { answer = response }
                        return response
                    }
                }
            } catch {
                guard let answer else { throw error }
                return answer
            }
        }
    }

    /// Repeats `body`, which writes under a key, until the outcome of a lost COMMIT is known.
    public static func settling<T>(
        on pool: PostgresPool, deadline: Deadline? = nil, if hasKey: Bool = true,
        _ body: (Deadline) async throws -> T
    ) async throws -> T {
        let deadline = deadline ?? .after(pool.configuration.defaultQueryTimeout)
        var lost: PostgresError?
        while true {
            do {
                return try await body(deadline)
            } catch let error as PostgresError {
                if error.isAmbiguous { lost = error }
                let mayRetry = hasKey && (error.isAmbiguous || error.isUnavailable)
                guard lost != nil, mayRetry, !PlantedBug.lostCommitGivenUp.isPlanted,
                    !deadline.hasPassed, !Task.isCancelled
                else {
                    // Whatever the last try met, the first may have been committed.
                    throw error.isUnavailable ? lost ?? error : error
                }
            }
            try await pool.loop.sleep(for: .milliseconds(20))
        }
    }

    /// Deletes at most `limit` keys older than ``retention``, by the database's clock.
    /// - Returns: how many it deleted.
    public static func forget(limit: Int, on pool: PostgresPool) async throws -> Int {
        try await pool.execute(
            """
            delete from idempotency_key where ctid in (
                select ctid from idempotency_key
                where created_at < clock_timestamp() - \(Int(retention.components.seconds))::int * interval '1 second'
                order by created_at limit \(limit)::int for update skip locked)
            """)
    }

    public static let reused = DomainError(
        .idempotencyKeyReused, "the idempotency key was used for another request")

    public static let inProgress = DomainError(
        .requestInProgress, "a request with this idempotency key is still running",
        retryAfter: .seconds(1))
}
