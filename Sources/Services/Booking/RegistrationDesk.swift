import Crypto
import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// Takes a validated request in: one look at the course and the choices, one statement that writes.
struct RegistrationDesk: Sendable {
    let store: RegistrationStore
    let transitions: BookingTransitions
    let captcha: any CaptchaVerifier

    /// - Throws: DUPLICATE_REQUEST with the original, IDEMPOTENCY_KEY_REUSED,
    ///   PENDING_BOOKING_EXISTS, COURSE_NOT_FOUND, SLOT_NOT_FOUND, VALIDATION_FAILED.
    func register(
        _ registration: Registration, by caller: Principal, at now: Instant
    ) async throws -> BookingV1.RegisterCourseResponse {
        let use = Self.use(registration.request, caller, now)
        let asksFirst = PlantedBug.captchaBeforeKey.isPlanted
        if asksFirst { try await captcha.verify(registration.request.captchaToken) }
        let look = try await store.look(registration, use)
        // Before the captcha: its token is good once, and a retry comes with the same one.
        if let replay = look.replay { throw try Self.duplicate(replay, use) }
        if !asksFirst { try await captcha.verify(registration.request.captchaToken) }
        guard let offering = look.offering else {
            throw DomainError(.courseNotFound, "there is no such course")
        }
        try Self.check(registration, look.slots, now)
        let booking = Booking(
            id: .timeOrdered(now), offeringID: offering.id, status: .pending,
            firstChoice: registration.firstChoice, secondChoice: registration.secondChoice,
            expiresAt: now + BookingRules.requestLifetime, createdAt: now, version: 1)
        var response = BookingV1.RegisterCourseResponse()
        response.booking = BookingV1.Booking(booking)
        response.warnings = Self.warnings(registration, look.slots, now)
        let demand = Dictionary(
            look.slots.map { ($0.id, $0.demand + 1) }, uniquingKeysWith: { first, _ in first })
        let event = BookingEvents.created(booking, offering, demand: demand)
        try await insert(registration, booking, use, response.encoded(), event)
        return response
    }

    private func insert(
        _ registration: Registration, _ booking: Booking, _ use: IdempotencyTable.Use,
        _ response: [UInt8], _ event: OutboxEvent
    ) async throws {
        for attempt in 1...2 {
            do {
                let isStored = try await IdempotencyTable.settling(on: store.pool) { deadline in
                    try await store.insert(
                        registration, booking, use, response: response, event: event,
                        deadline: deadline)
                }
                if isStored { return }
                guard let replay = try await store.findReplay(use) else {
                    throw IdempotencyTable.inProgress
                }
                // Ours after all: the answer to the first try was lost, not what it did.
                if replay.response == response { return }
                throw try Self.duplicate(replay, use)
            } catch let error as PostgresError where error.sqlState == .uniqueViolation {
                let retry = attempt == 1 ? try await expireLapsed(registration) : false
                guard retry else {
                    throw DomainError(
                        .pendingBookingExists,
                        "there is already a pending request for this course and e-mail")
                }
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                throw IdempotencyTable.inProgress
            }
        }
    }

    /// A request that has lapsed must not block a new one, swept or not.
    private func expireLapsed(_ registration: Registration) async throws -> Bool {
        let key = SHA256.hash(Array(registration.normalisedEmail.utf8))
        let store = transitions.store
        let lapsed = try await store.pool.transaction { transaction in
            try await store.lapsed(
                offering: registration.courseID, applicantKey: key, transaction)
        }
        guard let lapsed else { return false }
        try await transitions.expire(lapsed.id)
        return true
    }

    private static func duplicate(
        _ replay: RegistrationStore.Replay, _ use: IdempotencyTable.Use
    ) throws -> DomainError {
        guard replay.requestHash == use.requestHash else { return IdempotencyTable.reused }
        let original = try BookingV1.RegisterCourseResponse(decoding: replay.response)
        var detail = BookingV1.OriginalBooking()
        detail.booking = original.booking
        return DomainError(
            .duplicateRequest, "this request was received before; its booking is in the details"
        ).with(detail)
    }

    /// The captcha's token is used up by the first try, so it is not part of what must be equal.
    private static func use(
        _ request: BookingV1.RegisterCourseRequest, _ caller: Principal, _ now: Instant
    ) -> IdempotencyTable.Use {
        var request = request
        request.captchaToken = ""
        return IdempotencyTable.Use(
            scope: IdempotencyTable.Use.scope(of: "RegisterCourse", caller),
            key: request.idempotencyKey, requestHash: SHA256.hash(request.encoded()), at: now)
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

    private static func warnings(
        _ registration: Registration, _ slots: [Slot], _ now: Instant
    ) -> [String] {
        [(registration.firstChoice, "first"), (registration.secondChoice, "second")]
            .compactMap { choice, name in
                guard let slot = slots.first(where: { $0.id == choice }),
                    !slot.isAvailable(at: now)
                else { return nil }
                return "the \(name) choice is already taken at the moment"
            }
    }
}
