import Crypto
import Domain
import Environment
import Postgres

/// What has to be known before a request is stored, of any number of them in one look.
struct RegistrationQuestion: Sendable {
    typealias Look = RegistrationStore.Look

    private let offering: UUID
    private let applicant: String
    private let slots: [UUID]
    private let use: IdempotencyTable.Use

    init(_ registration: Registration, _ use: IdempotencyTable.Use) {
        offering = registration.courseID
        applicant = Hex.encode(registration.applicantKey)
        slots = [registration.firstChoice, registration.secondChoice].compactMap { $0 }
        self.use = use
    }

    static func ask(
        _ questions: [RegistrationQuestion], _ pool: PostgresPool
    ) async -> [Result<Look, any Error>] {
        do {
            return try await read(questions, pool).map { .success($0) }
        } catch {
            return questions.map { _ in .failure(error) }
        }
    }

    private static func read(
        _ questions: [RegistrationQuestion], _ pool: PostgresPool
    ) async throws -> [Look] {
        let offerings = Array(Set(questions.map(\.offering))).sorted()
        let ids = Array(Set(questions.flatMap(\.slots))).sorted()
        let results = try await pool.atomically(
            [
                SlotRow.plannedOnce,
                """
                select \(OfferingRow.columns), p.request_seconds, clock_timestamp()
                from offering o join policy p on p.code = o.policy
                where o.id = any(\(offerings)::uuid[])
                """,
                """
                select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(ids)::uuid[])
                """,
                """
                select b.offering_id, encode(b.applicant_key, 'hex') from booking b
                where (b.offering_id, b.applicant_key) in (
                    select o, decode(a, 'hex') from unnest(\(questions.map(\.offering))::uuid[],
                        \(questions.map(\.applicant))::text[]) n(o, a))
                  and b.status = 'pending' and b.expires_at > clock_timestamp()
                """,
                // Last: who sees the booking of a key sees the key.
                IdempotencyTable.answers(questions.map(\.use)),
            ], options: TransactionOptions(isReadOnly: true))
        let answers = try IdempotencyTable.Answers(results[4])
        var courses: [UUID: Look.Course] = [:]
        for row in results[1] {
            let course = Look.Course(
                offering: try OfferingRow.read(row),
                requestTime: .seconds(try row[OfferingRow.count] as Int),
                readAt: try row[OfferingRow.count + 1])
            courses[course.offering.id] = course
        }
        var slots: [UUID: Slot] = [:]
        for row in results[2] {
            let slot = try SlotRow.read(row)
            slots[slot.id] = slot
        }
        var pending: Set<[String]> = []
        for row in results[3] {
            let offering: UUID = try row[0]
            pending.insert([offering.description, try row[1]])
        }
        return questions.map { question in
            var look = Look()
            look.replay = answers.stored(for: question.use).map {
                RegistrationStore.Replay(requestHash: $0.requestHash, response: $0.response)
            }
            look.course = courses[question.offering]
            look.slots = question.slots.compactMap { slots[$0] }
            look.isPending = pending.contains([question.offering.description, question.applicant])
            return look
        }
    }
}

/// A statement that stores one request with everything that belongs to it, and counts it.
struct Insertion: Sendable {
    let use: IdempotencyTable.Use
    /// Who store several lock all their keys, then go through course and person in one order.
    let order: String
    let statement: SQL

    /// Whether each was stored. What fails all together is done again one by one, so that nobody
    /// fails by another's request.
    static func run(
        _ insertions: [Insertion], _ pool: PostgresPool
    ) async -> [Result<Bool, any Error>] {
        do {
            return try await together(insertions, pool).map { .success($0) }
        } catch {
            guard insertions.count > 1, !isHopeless(error) else {
                return insertions.map { _ in .failure(error) }
            }
        }
        return await SharedTransaction.apart(insertions) { try await together([$0], pool)[0] }
    }

    /// A database that does not answer does not answer one alone either; what became of a lost
    /// COMMIT each caller settles by his own key.
    private static func isHopeless(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return false }
        return error.isUnavailable || error.isAmbiguous || error.code == .deadlineExceeded
    }

    private static func together(
        _ insertions: [Insertion], _ pool: PostgresPool
    ) async throws -> [Bool] {
        let order = insertions.indices.sorted { insertions[$0].order < insertions[$1].order }
        let statements = order.map { insertions[$0].statement }
        let rows =
            statements.count == 1
            ? [try await pool.query(statements[0])]
            : Array(
                try await pool.atomically(
                    [SharedTransaction.patience, IdempotencyTable.lock(insertions.map(\.use))]
                        + statements
                ).dropFirst(2))
        var stored = Array(repeating: false, count: insertions.count)
        for (place, index) in order.enumerated() {
            stored[index] = try rows[place].single()[0] == 1
        }
        return stored
    }
}
