import Crypto
import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Holds`. Callers are anonymous: the token is what they prove by.
public struct HoldService: BookingV1.HoldsService {
    private let clock: Clock
    private let tokens: BookingTokens
    private let committed: @Sendable () -> Void
    private let store: HoldStore
    private let confirmations: HoldConfirmation
    private let batcher: Batcher<HoldOrder, BookingV1.PlaceHoldResponse>

    /// Holds that share a transaction at most, and transactions that run at the same time.
    static let batch = 256
    static let concurrency = 2

    /// - Parameter committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, clock: Clock, tokens: BookingTokens,
        committed: @escaping @Sendable () -> Void
    ) {
        self.clock = clock
        self.tokens = tokens
        self.committed = committed
        store = HoldStore(seats: BookingStore(pool: pool))
        confirmations = HoldConfirmation(store: store)
        let desk = HoldDesk(store: store)
        batcher = Batcher(loop: pool.loop, limit: Self.batch, concurrency: Self.concurrency) {
            let outcomes = await desk.place($0)
            if outcomes.contains(where: { (try? $0.get()) != nil }) { committed() }
            return outcomes
        }
    }

    public func placeHold(
        _ request: BookingV1.PlaceHoldRequest, _ context: ServerContext
    ) async throws -> BookingV1.PlaceHoldResponse {
        var rules = FieldRules()
        let slot = rules.uuid(request.slotId, "slot_id")
        if request.quantity < 0 { rules.refuse("quantity", "is negative") }
        rules.text(request.holder, "holder", limit: 200)
        rules.text(request.idempotencyKey, "idempotency_key", limit: 200)
        guard rules.areKept, let slot else { throw rules.refusal }
        let now = clock.now()
        let id = UUID.timeOrdered(now)
        let order = HoldOrder(
            id: id, slot: slot, quantity: max(1, Int(request.quantity)),
            holderKey: tokens.holder(request.holder),
            tokens: tokens,
            use: IdempotencyTable.Use(request.idempotencyKey, for: request, context, at: now))
        var response = try await DomainError.mapping { try await batcher.submit(order) }
        // Never stored, so it is made anew for a retry.
        if let made = response.hold.flatMap({ UUID($0.id) }) { response.token = tokens.hold(made) }
        return response
    }

    public func extendHold(
        _ request: BookingV1.ExtendHoldRequest, _ context: ServerContext
    ) async throws -> BookingV1.ExtendHoldResponse {
        let (id, hash) = try proof(request.holdId, request.token, request.idempotencyKey)
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(
                use(request.idempotencyKey, request, context), on: store.pool
            ) { transaction, _ in
                guard let row = try await transaction.query(store.extend(id, hash)).first else {
                    let hold = try await transaction.query(store.find(id)).first.map(Hold.read)
                    throw Self.notExtended(hold, hash)
                }
                let hold = try Hold.read(row)
                var response = BookingV1.ExtendHoldResponse()
                response.hold = try await message(hold, transaction)
                return response
            }
        }
    }

    public func releaseHold(
        _ request: BookingV1.ReleaseHoldRequest, _ context: ServerContext
    ) async throws -> BookingV1.ReleaseHoldResponse {
        let (id, hash) = try proof(request.holdId, request.token, request.idempotencyKey)
        defer { committed() }
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(
                use(request.idempotencyKey, request, context), on: store.pool
            ) { transaction, last in
                let slot = try await store.slot(of: id, transaction)
                var (ledger, _, rows) = try await store.seats.open(
                    [slot], after: [store.find(id)], transaction)
                var hold = try rows[0].first.map(Hold.read)
                if let refusal = HoldRules.refusal(hold, hash), refusal.code != .holdExpired {
                    throw refusal
                }
                if hold?.status == .pending, let quantity = hold?.quantity {
                    ledger.release(quantity, of: slot)
                    hold?.status = .released
                    last.append(store.release(id))
                }
                let settlement = try await store.seats.settle(ledger, transaction, &last)
                if !settlement.events.isEmpty { last.append(Outbox.insert(settlement.events)) }
                var response = BookingV1.ReleaseHoldResponse()
                if let hold { response.hold = try await message(hold, transaction) }
                return response
            }
        }
    }

    public func confirmHold(
        _ request: BookingV1.ConfirmHoldRequest, _ context: ServerContext
    ) async throws -> BookingV1.ConfirmHoldResponse {
        let order = try HoldConfirmation.Order(
            request, use: use(request.idempotencyKey, request, context), at: clock.now())
        defer { committed() }
        var response = try await DomainError.mapping { try await confirmations.run(order) }
        if let booking = response.booking, let id = UUID(booking.id) {
            response.manageToken = tokens.manage(id)
            if booking.status == .confirmed, let end = response.slot?.endTime {
                response.qrToken = tokens.checkIn(id, until: Instant(end))
            }
        }
        return response
    }

    // MARK: Pieces

    private func proof(
        _ id: String, _ token: String, _ key: String?
    ) throws(DomainError) -> (UUID, [UInt8]) {
        var rules = FieldRules()
        let id = rules.uuid(id, "hold_id")
        rules.text(token, "token", limit: 100)
        rules.key(key)
        guard rules.areKept, let id else { throw rules.refusal }
        return (id, BookingTokens.digest(token))
    }

    private func use(
        _ key: String?, _ request: some Message, _ context: ServerContext
    ) -> IdempotencyTable.Use? {
        key.map { IdempotencyTable.Use($0, for: request, context, at: clock.now()) }
    }

    private func message(
        _ hold: Hold, _ transaction: PostgresTransaction
    ) async throws -> BookingV1.Hold {
        let offers = try HoldOffer.read(
            try await transaction.query(HoldOffer.select([hold.slot])))
        guard let offer = offers[hold.slot] else {
            throw DomainError(.slotNotFound, "there is no such slot")
        }
        return BookingV1.Hold(hold, offer)
    }

    private static func notExtended(_ hold: Hold?, _ hash: [UInt8]) -> DomainError {
        if let refusal = HoldRules.refusal(hold, hash) { return refusal }
        return hold.map { $0.expiresAt <= .now() } == true
            ? HoldRules.expired
            : DomainError(.holdLimitReached, "the hold has been extended as often as it may")
    }
}
