import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Bookings`: authorised by the interceptor, decoded here, decided by
/// ``BookingRules``, committed by the stores in one transaction.
public struct BookingService: BookingV1.BookingsService {
    private let pool: PostgresPool
    private let clock: Clock
    private let committed: @Sendable () -> Void
    private let transitions: BookingTransitions
    private let registrations: RegistrationDesk
    private let queue: BookingQueueStore
    private let proofs: ProofAddress
    private let desk: AssignDesk
    private let assignments: Batcher<BookingTransitions.Order, BookingV1.AssignSlotResponse?>

    /// Assignments that share a transaction at most. One transaction at a time: admins who assign
    /// at the same time mostly want the same few teachers, and would wait for each other's rows.
    static let batch = 64
    static let concurrency = 1

    /// - Parameters:
    ///   - proofs: where uploads are found.
    ///   - slotAlarm: so long a confirmed request may wait for its slot (``SlotAlarm``).
    ///   - committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, clock: Clock, captcha: any CaptchaVerifier, tokens: BookingTokens,
        proofs: ProofAddress = ProofAddress(site: ""), slotAlarm: Duration = SlotAlarm.patience,
        committed: @escaping @Sendable () -> Void
    ) {
        self.pool = pool
        self.clock = clock
        self.proofs = proofs
        self.committed = committed
        transitions = BookingTransitions(store: BookingStore(pool: pool))
        registrations = RegistrationDesk(
            store: RegistrationStore(pool: pool), transitions: transitions,
            payments: PaymentDesk(pool: pool), captcha: captcha, tokens: tokens)
        queue = BookingQueueStore(pool: pool, proofs: proofs, slotAlarm: slotAlarm)
        let desk = AssignDesk(transitions: transitions)
        self.desk = desk
        assignments = Batcher(loop: pool.loop, limit: Self.batch, concurrency: Self.concurrency) {
            let outcomes = await desk.assign($0)
            committed()
            return outcomes
        }
    }

    public func registerCourse(
        _ request: BookingV1.RegisterCourseRequest, _ context: ServerContext
    ) async throws -> BookingV1.RegisterCourseResponse {
        let now = clock.now()
        let registration = try Registration(request, today: now.date, proofs: proofs)
        let response = try await DomainError.mapping {
            try await registrations.register(registration, context, at: now)
        }
        committed()
        return response
    }

    public func getBooking(
        _ request: BookingV1.GetBookingRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetBookingResponse {
        let id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        let found = try await DomainError.mapping { try await queue.find(id) }
        guard let found else { throw DomainError(.bookingNotFound, "there is no such booking") }
        return found
    }

    public func getHistory(
        _ request: BookingV1.GetHistoryRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetHistoryResponse {
        let id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        let history = try await DomainError.mapping { try await queue.history(id) }
        // Every booking has at least the entry of its making.
        guard !history.isEmpty else {
            throw DomainError(.bookingNotFound, "there is no such booking")
        }
        var response = BookingV1.GetHistoryResponse()
        response.history = history
        return response
    }

    public func listBookings(
        _ request: BookingV1.ListBookingsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListBookingsResponse {
        let page = try BookingPage(request)
        return try await DomainError.mapping { try page.read(try await pool.query(page.select)) }
    }

    public func listPending(
        _ request: BookingV1.ListPendingRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListPendingResponse {
        let page = try QueuePage(request)
        return try await DomainError.mapping { try await queue.list(page, now: clock.now()) }
    }

    public func confirm(
        _ request: BookingV1.ConfirmRequest, _ context: ServerContext
    ) async throws -> BookingV1.ConfirmResponse {
        var rules = FieldRules()
        let slot = rules.optionalUUID(request.scheduleId, "schedule_id")
        try rules.check()
        let order = try order(
            request.bookingId, slot: slot,
            slot.map { .confirmAndAssign(slot: $0, reason: request.reason) } ?? .confirm,
            request.reason, request.ifVersion, request.idempotencyKey, request, context)
        return try await run(order) { outcome in
            var response = BookingV1.ConfirmResponse()
            response.booking = BookingV1.Booking(outcome.booking)
            response.slot = outcome.slot.map { BookingV1.Slot($0) }
            return response
        }
    }

    public func assignSlot(
        _ request: BookingV1.AssignSlotRequest, _ context: ServerContext
    ) async throws -> BookingV1.AssignSlotResponse {
        let slot = try FieldRules.uuid(request.scheduleId, only: "schedule_id")
        let order = try order(
            request.bookingId, slot: slot, .assign(slot: slot, reason: request.reason),
            request.reason, request.ifVersion, request.idempotencyKey, request, context)
        return try await DomainError.mapping {
            if let answer = try await assignments.submit(order) { return answer }
            // Outside of the piece: the next one does not wait for who waits.
            let answer = try await desk.alone(order)
            committed()
            return answer
        }
    }

    public func reject(
        _ request: BookingV1.RejectRequest, _ context: ServerContext
    ) async throws -> BookingV1.RejectResponse {
        let order = try order(
            request.bookingId, slot: nil, .reject, request.reason, request.ifVersion,
            request.idempotencyKey, request, context)
        return try await run(order) { outcome in
            var response = BookingV1.RejectResponse()
            response.booking = BookingV1.Booking(outcome.booking)
            return response
        }
    }

    public func cancel(
        _ request: BookingV1.CancelRequest, _ context: ServerContext
    ) async throws -> BookingV1.CancelResponse {
        let order = try order(
            request.bookingId, slot: nil, .cancel, request.reason, request.ifVersion,
            request.idempotencyKey, request, context)
        return try await run(order) { outcome in
            var response = BookingV1.CancelResponse()
            response.booking = BookingV1.Booking(outcome.booking)
            return response
        }
    }

    // MARK: Pieces

    private func run<Response: Message>(
        _ order: BookingTransitions.Order, _ respond: (BookingTransitions.Outcome) -> Response
    ) async throws -> Response {
        defer { committed() }
        return try await DomainError.mapping { try await transitions.run(order, respond) }
    }

    private func order(
        _ id: String, slot: UUID?, _ command: BookingCommand, _ reason: String,
        _ ifVersion: Int64?, _ key: String?, _ request: some Message, _ context: ServerContext
    ) throws(DomainError) -> BookingTransitions.Order {
        var rules = FieldRules()
        rules.text(reason, "reason", limit: 500, required: false)
        rules.key(key)
        try rules.check()
        return BookingTransitions.Order(
            booking: try FieldRules.uuid(id, only: "booking_id"), slot: slot, command: command,
            actor: context.principal.actor, reason: reason, ifVersion: ifVersion,
            idempotency: key.map {
                IdempotencyTable.Use($0, for: request, context, at: clock.now())
            })
    }
}
