import Domain
public import Environment
public import Postgres
import Protobuf
import QRCode
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Appointments`: for staff by booking, for customers by the signed
/// manage link, which is checked before anything is read.
public struct AppointmentService: BookingV1.AppointmentsService {
    private let clock: Clock
    private let tokens: BookingTokens
    private let committed: @Sendable () -> Void
    private let store: AppointmentStore
    private let transitions: BookingTransitions

    /// - Parameter committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, clock: Clock, tokens: BookingTokens,
        committed: @escaping @Sendable () -> Void
    ) {
        self.clock = clock
        self.tokens = tokens
        self.committed = committed
        store = AppointmentStore(pool: pool)
        transitions = BookingTransitions(store: BookingStore(pool: pool))
    }

    // MARK: Staff

    public func checkIn(
        _ request: BookingV1.CheckInRequest, _ context: ServerContext
    ) async throws -> BookingV1.CheckInResponse {
        var rules = FieldRules()
        let named = rules.optionalUUID(request.bookingId, "booking_id")
        rules.text(request.token, "token", limit: 200)
        try rules.check()
        guard let (id, until) = tokens.booking(checkedInBy: request.token),
            named == nil || named == id
        else { throw DomainError(.forbidden, "the code is not of this booking") }
        return try await DomainError.mapping {
            let found = try await store.find(id)
            guard let slot = found.slot else {
                throw DomainError(.invalidTransition, "the booking has no slot")
            }
            return try await run(
                id,
                .checkIn(
                    startsAt: slot.startsAt, endsAt: slot.endsAt, lead: found.terms.checkInLead,
                    until: until),
                "", request.idempotencyKey, nil, request, context
            ) {
                var response = BookingV1.CheckInResponse()
                response.booking = BookingV1.Booking($0.booking)
                response.slot = BookingV1.Slot(slot)
                return response
            }
        }
    }

    public func complete(
        _ request: BookingV1.CompleteRequest, _ context: ServerContext
    ) async throws -> BookingV1.CompleteResponse {
        let id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        return try await DomainError.mapping {
            try await run(
                id, .complete, request.reason, request.idempotencyKey, request.ifVersion, request,
                context
            ) {
                var response = BookingV1.CompleteResponse()
                response.booking = BookingV1.Booking($0.booking)
                return response
            }
        }
    }

    public func markNoShow(
        _ request: BookingV1.MarkNoShowRequest, _ context: ServerContext
    ) async throws -> BookingV1.MarkNoShowResponse {
        let id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        return try await DomainError.mapping {
            let found = try await store.find(id)
            let start = found.slot?.startsAt ?? found.at
            return try await run(
                id, .noShow(startsAt: start, grace: found.terms.noShowGrace), request.reason,
                request.idempotencyKey, request.ifVersion, request, context
            ) {
                var response = BookingV1.MarkNoShowResponse()
                response.booking = BookingV1.Booking($0.booking)
                return response
            }
        }
    }

    public func reschedule(
        _ request: BookingV1.RescheduleRequest, _ context: ServerContext
    ) async throws -> BookingV1.RescheduleResponse {
        let id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        let slot = try FieldRules.uuid(request.scheduleId, only: "schedule_id")
        return try await DomainError.mapping {
            try await run(
                id, .reschedule(to: .timeOrdered(clock.now())), request.reason,
                request.idempotencyKey, request.ifVersion, request, context, slot: slot
            ) {
                var response = BookingV1.RescheduleResponse()
                response.booking = BookingV1.Booking($0.booking)
                response.slot = $0.slot.map { BookingV1.Slot($0) }
                response.previous = $0.previous.map { BookingV1.Booking($0) }
                return response
            }
        }
    }

    // MARK: Customers

    public func getByManageToken(
        _ request: BookingV1.GetByManageTokenRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetByManageTokenResponse {
        let id = try managed(request.token)
        let found = try await DomainError.mapping {
            try await store.find(try await store.latest(id))
        }
        let (booking, rights) = (found.booking, found.rights)
        var response = BookingV1.GetByManageTokenResponse()
        response.booking = BookingV1.Booking(booking)
        response.booking?.archivedAt = found.archivedAt.map { GoogleProtobuf.Timestamp($0) }
        response.slot = found.slot.map { BookingV1.Slot($0) }
        response.subjectName = found.subjectName
        response.subjectKind = found.subjectKind
        response.manageToken = tokens.manage(booking.id)
        response.qrToken = qr(booking, found.slot)
        var may = BookingV1.ManageRights()
        may.canCancel = rights.allows(booking, .cancel, now: found.at)
        may.canReschedule = rights.allows(booking, .reschedule(to: booking.id), now: found.at)
        may.cancelUntil = rights.cancelUntil.map { GoogleProtobuf.Timestamp($0) }
        may.rescheduleUntil = rights.rescheduleUntil.map { GoogleProtobuf.Timestamp($0) }
        may.reschedulesLeft = Int32(clamping: rights.reschedulesLeft(booking))
        may.reschedulePriceLimit = rights.price.limit
        may.canChangeChoices = rights.allows(
            booking, .choose(first: booking.id, second: nil), now: found.at)
        response.rights = may
        let choices = try await DomainError.mapping {
            try await RequestChoices.read(of: [booking], transitions.store, now: found.at)
        }
        response.firstChoice = choices.message(booking.firstChoice, of: booking)
        response.secondChoice = choices.message(booking.secondChoice, of: booking)
        response.choicesGone = choices.areGone(booking)
        response.alternatives = choices.alternatives(to: booking).map { BookingV1.Slot($0) }
        return response
    }

    public func cancelByManageToken(
        _ request: BookingV1.CancelByManageTokenRequest, _ context: ServerContext
    ) async throws -> BookingV1.CancelByManageTokenResponse {
        let id = try managed(request.token)
        return try await DomainError.mapping {
            let found = try await store.find(try await store.latest(id))
            return try await run(
                found.booking.id, .cancel, request.reason, request.idempotencyKey, nil, request,
                context, rights: found.rights
            ) {
                var response = BookingV1.CancelByManageTokenResponse()
                response.booking = BookingV1.Booking($0.booking)
                return response
            }
        }
    }

    public func rescheduleByManageToken(
        _ request: BookingV1.RescheduleByManageTokenRequest, _ context: ServerContext
    ) async throws -> BookingV1.RescheduleByManageTokenResponse {
        let id = try managed(request.token)
        let slot = try FieldRules.uuid(request.scheduleId, only: "schedule_id")
        var response = try await DomainError.mapping {
            let found = try await store.find(try await store.latest(id))
            return try await run(
                found.booking.id, .reschedule(to: .timeOrdered(clock.now())), request.reason,
                request.idempotencyKey, nil, request, context, slot: slot, rights: found.rights
            ) {
                var response = BookingV1.RescheduleByManageTokenResponse()
                response.booking = BookingV1.Booking($0.booking)
                response.slot = $0.slot.map { BookingV1.Slot($0) }
                return response
            }
        }
        // Never stored, so they are made anew for a retry.
        if let booking = response.booking.flatMap({ UUID($0.id) }) {
            response.manageToken = tokens.manage(booking)
            response.qrToken = response.slot?.endTime.map {
                tokens.checkIn(booking, until: Instant($0))
            }
        }
        return response
    }

    public func getHistoryByManageToken(
        _ request: BookingV1.GetHistoryByManageTokenRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetHistoryByManageTokenResponse {
        let id = try managed(request.token)
        var response = BookingV1.GetHistoryByManageTokenResponse()
        response.history = try await DomainError.mapping {
            try await store.history(to: try await store.latest(id))
        }
        return response
    }

    public func changeChoicesByManageToken(
        _ request: BookingV1.ChangeChoicesByManageTokenRequest, _ context: ServerContext
    ) async throws -> BookingV1.ChangeChoicesByManageTokenResponse {
        let id = try managed(request.token)
        var rules = FieldRules()
        let first = rules.uuid(request.firstChoiceSlotId, "first_choice_slot_id")
        let second = rules.optionalUUID(request.secondChoiceSlotId, "second_choice_slot_id")
        if let first, first == second {
            rules.refuse("second_choice_slot_id", "is the same as the first choice")
        }
        guard rules.areKept, let first else { throw rules.refusal }
        return try await DomainError.mapping {
            let found = try await store.find(try await store.latest(id))
            return try await run(
                found.booking.id, .choose(first: first, second: second), "",
                request.idempotencyKey, nil, request, context, rights: found.rights
            ) {
                var response = BookingV1.ChangeChoicesByManageTokenResponse()
                response.booking = BookingV1.Booking($0.booking)
                return response
            }
        }
    }

    public func drawQrCode(
        _ request: BookingV1.DrawQrCodeRequest, _ context: ServerContext
    ) async throws -> GoogleApi.HttpBody {
        let id = try managed(request.token)
        let found = try await DomainError.mapping {
            try await store.find(try await store.latest(id))
        }
        guard let token = qr(found.booking, found.slot) else {
            throw DomainError(.invalidTransition, "only a confirmed booking has a code")
        }
        var body = GoogleApi.HttpBody()
        body.contentType = "image/svg+xml"
        body.data = Array(try QRCode(token).svg.utf8)
        return body
    }

    public func exportIcs(
        _ request: BookingV1.ExportIcsRequest, _ context: ServerContext
    ) async throws -> GoogleApi.HttpBody {
        let id: UUID
        if request.token.isEmpty {
            guard context.principal.isAdmin else {
                throw DomainError(.unauthenticated, "this call needs a token or credentials")
            }
            id = try FieldRules.uuid(request.bookingId, only: "booking_id")
        } else {
            id = try managed(request.token)
        }
        let (found, uid) = try await DomainError.mapping {
            (try await store.find(try await store.latest(id)), try await store.first(id))
        }
        guard let slot = found.slot else {
            throw DomainError(.invalidTransition, "the booking has no slot yet")
        }
        let live: Set<Booking.Status> = [.confirmed, .inProgress, .completed]
        let calendar = CalendarObject(
            method: live.contains(found.booking.status) ? .publish : .cancel,
            uid: "\(uid)@janji",
            // Versions begin anew with each rescheduling; a calendar must see them grow.
            sequence: found.booking.version + Int64(found.booking.reschedules) * 1000,
            stamp: found.at, startsAt: slot.startsAt, endsAt: slot.endsAt,
            summary: slot.offering.title, location: found.location, description: "")
        var body = GoogleApi.HttpBody()
        body.contentType = "text/calendar; charset=utf-8; method=\(calendar.method.rawValue)"
        body.data = Array(calendar.text.utf8)
        return body
    }

    // MARK: Pieces

    private func run<Response: Message>(
        _ booking: UUID, _ command: BookingCommand, _ reason: String, _ key: String?,
        _ ifVersion: Int64?, _ request: some Message, _ context: ServerContext,
        slot: UUID? = nil, rights: CustomerRights? = nil,
        _ respond: (BookingTransitions.Outcome) -> Response
    ) async throws -> Response {
        var rules = FieldRules()
        rules.text(reason, "reason", limit: 500, required: false)
        rules.key(key)
        try rules.check()
        let order = BookingTransitions.Order(
            booking: booking, slot: slot, command: command,
            actor: rights == nil ? context.principal.actor : "customer", reason: reason,
            ifVersion: ifVersion,
            idempotency: key.map {
                IdempotencyTable.Use($0, for: request, context, at: clock.now())
            }, rights: rights)
        defer { committed() }
        return try await transitions.run(order, respond)
    }

    private func managed(_ token: String) throws(DomainError) -> UUID {
        guard let id = tokens.booking(managedBy: token) else {
            throw DomainError(.bookingNotFound, "there is no booking with this link")
        }
        return id
    }

    private func qr(_ booking: Booking, _ slot: Slot?) -> String? {
        guard booking.status == .confirmed, let slot else { return nil }
        return tokens.checkIn(booking.id, until: slot.endsAt)
    }
}
