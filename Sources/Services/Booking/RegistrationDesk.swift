import Crypto
import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// Takes a validated request in: one look at the course and the choices, one statement that writes;
/// a transaction of its own for one that comes with a proof of payment.
struct RegistrationDesk: Sendable {
    let store: RegistrationStore
    let transitions: BookingTransitions
    let payments: PaymentDesk
    let captcha: any CaptchaVerifier
    let tokens: BookingTokens

    /// - Throws: DUPLICATE_REQUEST with the original, IDEMPOTENCY_KEY_REUSED,
    ///   PENDING_BOOKING_EXISTS, COURSE_NOT_FOUND, SLOT_NOT_FOUND, VALIDATION_FAILED.
    func register(
        _ registration: Registration, _ context: ServerContext, at now: Instant
    ) async throws -> BookingV1.RegisterCourseResponse {
        let use = Self.use(registration.request, context, now)
        let asksFirst = PlantedBug.captchaBeforeKey.isPlanted
        if asksFirst { try await captcha.verify(registration.request.captchaToken) }
        let look = try await store.look(registration, use)
        // Before the captcha: its token is good once, and a retry comes with the same one.
        if let replay = look.replay { throw try duplicate(replay, use) }
        if !asksFirst { try await verify(registration, use) }
        guard let course = look.course else {
            throw DomainError(.courseNotFound, "there is no such course")
        }
        try Self.check(registration, look.slots, course.readAt)
        if look.isPending { throw Self.pending }
        let filing = try Filing(registration, course, look)
        try await insert(filing, use)
        var response = filing.response
        // Never stored, so it is made anew for a retry.
        response.manageToken = tokens.manage(filing.booking.id)
        return response
    }

    private func verify(
        _ registration: Registration, _ use: IdempotencyTable.Use
    ) async throws {
        do {
            try await captcha.verify(registration.request.captchaToken)
        } catch {
            // Its first try may have used the token up meanwhile.
            if let replay = try? await store.findReplay(use) { throw try duplicate(replay, use) }
            throw error
        }
    }

    private func insert(_ filing: Filing, _ use: IdempotencyTable.Use) async throws {
        let response = filing.response.encoded()
        let insertion = store.insertion(
            filing.registration, filing.booking, policy: filing.offering.policy, use,
            response: response, event: filing.event)
        for attempt in 1...2 {
            do {
                let isStored = try await IdempotencyTable.settling(on: store.pool) { deadline in
                    try await write(filing, insertion, use, deadline)
                }
                if isStored { return }
                guard let replay = try await store.findReplay(use) else {
                    throw IdempotencyTable.inProgress
                }
                // Ours after all: the answer to the first try was lost, not what it did.
                if replay.response == response { return }
                throw try duplicate(replay, use)
            } catch let error as PostgresError where error.sqlState == .uniqueViolation {
                let retry = attempt == 1 ? try await expireLapsed(filing.registration) : false
                guard retry else { throw Self.pending }
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                throw IdempotencyTable.inProgress
            }
        }
    }

    /// - Returns: false when the key had been used.
    private func write(
        _ filing: Filing, _ insertion: SQL, _ use: IdempotencyTable.Use, _ deadline: Deadline
    ) async throws -> Bool {
        guard let proof = filing.registration.proof else {
            return try await store.insert(insertion, filing.registration, use)
        }
        return try await store.pool.transaction(deadline: deadline) { transaction in
            guard try await transaction.query(insertion).single()[0] == 1 else { return false }
            var last: [SQL] = []
            if let charge = filing.charge {
                var subject = PaymentCase(filing.booking, PaymentAccount())
                try await payments.add(
                    charge, to: &subject, nextQuestion: nil, actor: "public",
                    filing.booking.createdAt, transaction, &last)
            }
            try await ProofStore(pool: store.pool).claim(
                proof, of: filing.booking.id, for: filing.charge?.id, field: "payment_proof",
                transaction)
            try await transaction.commit(with: last)
            return true
        }
    }

    private static let pending = DomainError(
        .pendingBookingExists, "there is already a pending request for this course and e-mail")

    /// A request that has lapsed must not block a new one, swept or not.
    private func expireLapsed(_ registration: Registration) async throws -> Bool {
        let store = transitions.store
        let lapsed = try await store.pool.transaction { transaction in
            try await store.lapsed(
                offering: registration.courseID, applicantKey: registration.applicantKey,
                transaction)
        }
        guard let lapsed else { return false }
        try await transitions.expire(lapsed.id)
        return true
    }

    private func duplicate(
        _ replay: RegistrationStore.Replay, _ use: IdempotencyTable.Use
    ) throws -> DomainError {
        guard replay.requestHash == use.requestHash else { return IdempotencyTable.reused }
        let original = try BookingV1.RegisterCourseResponse(decoding: replay.response)
        var detail = BookingV1.OriginalBooking()
        detail.booking = original.booking
        detail.manageToken =
            original.booking.flatMap { UUID($0.id) }.map { tokens.manage($0) } ?? ""
        use.markReplayed()
        return DomainError(
            .duplicateRequest, "this request was received before; its booking is in the details"
        ).with(detail)
    }

    /// The captcha's token is used up by the first try, so it is not part of what must be equal.
    private static func use(
        _ request: BookingV1.RegisterCourseRequest, _ context: ServerContext, _ now: Instant
    ) -> IdempotencyTable.Use {
        var request = request
        request.captchaToken = ""
        return IdempotencyTable.Use(request.idempotencyKey, for: request, context, at: now)
    }

    /// Availability is not checked; existence, course and time are.
    private static func check(
        _ registration: Registration, _ slots: [Slot], _ now: Instant
    ) throws(DomainError) {
        var rules = FieldRules()
        let choices = [
            (registration.firstChoice, "first_choice_slot_id"),
            (registration.secondChoice, "second_choice_slot_id"),
        ]
        for case (let choice?, let field) in choices {
            guard let slot = slots.first(where: { $0.id == choice }) else {
                throw DomainError(
                    .slotNotFound, "there is no such slot",
                    violations: [DomainError.Violation(field, "names no slot")])
            }
            if slot.offering.id != registration.courseID {
                rules.refuse(field, "belongs to another course")
            } else if slot.startsAt <= now {
                rules.refuse(field, "has already begun")
            }
        }
        try rules.check()
    }
}
