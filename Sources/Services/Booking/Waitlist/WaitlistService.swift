import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Waitlists`. Customers are anonymous: the token of an entry is what
/// they prove by.
public struct WaitlistService: BookingV1.WaitlistsService {
    private let clock: Clock
    private let tokens: BookingTokens
    private let committed: @Sendable () -> Void
    private let store: WaitlistStore
    private let desk: WaitlistDesk

    /// Slots of one answer.
    static let slotLimit = 100

    /// - Parameter committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, clock: Clock, tokens: BookingTokens,
        committed: @escaping @Sendable () -> Void
    ) {
        self.clock = clock
        self.tokens = tokens
        self.committed = committed
        store = WaitlistStore(seats: BookingStore(pool: pool))
        desk = WaitlistDesk(store: store)
    }

    // MARK: Customers

    public func joinWaitlist(
        _ request: BookingV1.JoinWaitlistRequest, _ context: ServerContext
    ) async throws -> BookingV1.JoinWaitlistResponse {
        var rules = FieldRules()
        let slot = rules.uuid(request.slotId, "slot_id")
        if request.quantity < 0 { rules.refuse("quantity", "is negative") }
        rules.text(request.fullName, "full_name", limit: 200)
        rules.email(request.email, "email")
        rules.text(request.idempotencyKey, "idempotency_key", limit: 200)
        guard rules.areKept, let slot else { throw rules.refusal }
        guard request.consent else {
            throw DomainError(
                .consentRequired, "to wait in line needs consent",
                violations: [DomainError.Violation("consent", "must be true")])
        }
        let now = clock.now()
        let id = UUID.timeOrdered(now)
        let order = WaitlistDesk.JoinOrder(
            entry: WaitlistEntry(
                id: id, slot: slot, quantity: max(1, Int(request.quantity)), status: .waiting,
                version: 1, joinedAt: now,
                applicantKey: Applicant.key(email: request.email),
                tokenHash: BookingTokens.digest(tokens.waitlist(id))),
            name: request.fullName, email: request.email,
            use: IdempotencyTable.Use(request.idempotencyKey, for: request, context, at: now))
        defer { committed() }
        var response = try await DomainError.mapping { try await desk.join(order) }
        // Never stored, so it is made anew for a retry.
        if let made = response.entry.flatMap({ UUID($0.id) }) {
            response.token = tokens.waitlist(made)
        }
        return response
    }

    public func getWaitlistEntry(
        _ request: BookingV1.GetWaitlistEntryRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetWaitlistEntryResponse {
        let proof = try proof(request.token, nil)
        let sight = try await DomainError.mapping { try await store.sight(proof.entry) }
        guard sight.entry.isProved(by: proof.tokenHash) else { throw WaitlistStore.notFound }
        return Self.response(sight, tokens)
    }

    public func leaveWaitlist(
        _ request: BookingV1.LeaveWaitlistRequest, _ context: ServerContext
    ) async throws -> BookingV1.LeaveWaitlistResponse {
        let proof = try proof(request.token, request.idempotencyKey)
        defer { committed() }
        return try await DomainError.mapping {
            try await desk.leave(proof, use(request.idempotencyKey, request, context))
        }
    }

    public func claimOffer(
        _ request: BookingV1.ClaimOfferRequest, _ context: ServerContext
    ) async throws -> BookingV1.ClaimOfferResponse {
        let proof = try proof(request.token, request.idempotencyKey)
        defer { committed() }
        var response = try await DomainError.mapping {
            try await desk.claim(
                proof, tokenHash: { BookingTokens.digest(tokens.hold($0)) },
                use(request.idempotencyKey, request, context))
        }
        if let hold = response.hold.flatMap({ UUID($0.id) }) {
            response.holdToken = tokens.hold(hold)
        }
        return response
    }

    public func listFullSlots(
        _ request: BookingV1.ListFullSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListFullSlotsResponse {
        var rules = FieldRules()
        rules.text(request.courseId, "course_id", limit: 40)
        let from = rules.instant(request.from, "from")
        let to = rules.instant(request.to, "to")
        try rules.check()
        let now = clock.now()
        let slots = try await DomainError.mapping {
            try await store.pool.query(
                WaitlistStore.full(
                    UUID(request.courseId), code: request.courseId, from: max(from ?? now, now),
                    to: to, limit: Self.slotLimit)
            ).map(SlotRow.read)
        }
        var response = BookingV1.ListFullSlotsResponse()
        response.slots = slots.filter { $0.remaining == 0 }.map { BookingV1.Slot($0) }
        return response
    }

    // MARK: Staff

    public func listWaitlist(
        _ request: BookingV1.ListWaitlistRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListWaitlistResponse {
        let slot = try FieldRules.uuid(request.slotId, only: "slot_id")
        return try await DomainError.mapping {
            var response = BookingV1.ListWaitlistResponse()
            response.people = try await store.pool.query(WaitlistStore.people(of: "(\(slot))"))
                .map(WaitlistStore.person)
            return response
        }
    }

    // MARK: Pieces

    private func proof(
        _ token: String, _ key: String?
    ) throws(DomainError) -> WaitlistDesk.Proof {
        if let key {
            var rules = FieldRules()
            rules.text(key, "idempotency_key", limit: 200)
            try rules.check()
        }
        guard let entry = BookingTokens.waitlistEntry(namedBy: token) else {
            throw WaitlistStore.notFound
        }
        return WaitlistDesk.Proof(entry: entry, tokenHash: BookingTokens.digest(token))
    }

    private func use(
        _ key: String?, _ request: some Message, _ context: ServerContext
    ) -> IdempotencyTable.Use? {
        key.map { IdempotencyTable.Use($0, for: request, context, at: clock.now()) }
    }

    /// An offer whose time is over, or a line, is told as ended, whether it is written or not.
    private static func response(
        _ sight: WaitlistStore.Sight, _ tokens: BookingTokens
    ) -> BookingV1.GetWaitlistEntryResponse {
        var entry = sight.entry
        let isAlive = sight.hold.map { $0.status == .pending && $0.expiresAt > sight.at } ?? false
        if entry.status == .offered, !isAlive { entry.status = .lapsed }
        if entry.status == .waiting, WaitlistRules.isOver(sight.slot, now: sight.at) {
            entry.status = .ended
        }
        var response = BookingV1.GetWaitlistEntryResponse()
        response.entry = BookingV1.WaitlistEntry(
            entry, place: entry.status == .waiting ? sight.place : 0,
            offerUntil: sight.hold?.expiresAt)
        response.slot = BookingV1.Slot(sight.slot)
        if isAlive, let hold = sight.hold {
            response.hold = BookingV1.Hold(hold, sight.offer)
            if entry.status == .claimed { response.holdToken = tokens.hold(hold.id) }
        }
        return response
    }
}
