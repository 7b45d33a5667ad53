import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// What a customer does with a place in line: each one transaction under the lock of the slot.
struct WaitlistDesk: Sendable {
    let store: WaitlistStore

    /// A request to join whose fields have been checked.
    struct JoinOrder: Sendable {
        /// As it will be when it is granted.
        let entry: WaitlistEntry
        let name: String
        let email: String
        let use: IdempotencyTable.Use
    }

    /// An entry, and what proves that it is the caller's.
    struct Proof: Sendable {
        let entry: UUID
        let tokenHash: [UInt8]
    }

    /// An entry under the lock of its slot.
    private struct Opening {
        var ledger: SeatLedger
        var entry: WaitlistEntry
        var hold: Hold?
        var offer: HoldOffer
    }

    /// - Throws: as ``WaitlistRules/checkJoin(_:_:free:_:now:)``, SLOT_NOT_FOUND.
    func join(_ order: JoinOrder) async throws -> BookingV1.JoinWaitlistResponse {
        try await perform(order.use) { servesLine, transaction, last in
            let entry = order.entry
            let holders = HoldStore(seats: store.seats).lockHolders([entry.applicantKey])
            var (ledger, _, rows) = try await store.seats.open(
                [entry.slot], before: [holders],
                after: [store.line(of: entry.slot, for: entry.applicantKey)],
                servesLine: servesLine, transaction)
            guard let seats = ledger.entries[entry.slot], let row = rows[0].first else {
                throw DomainError(.slotNotFound, "there is no such slot")
            }
            try WaitlistRules.checkJoin(
                entry.quantity, seats.slot, free: seats.slot.capacity - seats.taken,
                try WaitlistStore.readLine(row), now: ledger.at)
            ledger.moves.append(WaitlistMove(entry: entry, action: .joined, actor: "public"))
            // Before the moves, which name it.
            _ = try await transaction.batch(
                store.insert(entry, name: order.name, email: order.email))
            let settlement = try await settle(ledger, transaction, &last)
            let place = try await transaction.query(
                "select \(WaitlistStore.place) from waitlist_entry e where e.id = \(entry.id)")
            var response = BookingV1.JoinWaitlistResponse()
            response.entry = BookingV1.WaitlistEntry(entry, place: try place.single()[0])
            response.slot = settlement.slots[entry.slot].map { BookingV1.Slot($0) }
            return response
        }
    }

    /// - Throws: WAITLIST_ENTRY_NOT_FOUND, INVALID_TRANSITION once the offer is claimed.
    func leave(
        _ proof: Proof, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.LeaveWaitlistResponse {
        try await perform(use) { servesLine, transaction, last in
            var opening = try await open(proof, servesLine, transaction)
            guard opening.entry.status != .claimed else {
                throw DomainError(
                    .invalidTransition, "the offer has been claimed: the seats are a hold now")
            }
            if opening.entry.status.isLive {
                try opening.ledger.giveUp(opening.entry, .left, by: "public")
                opening.entry = opening.ledger.moves.last?.entry ?? opening.entry
            }
            _ = try await settle(opening.ledger, transaction, &last)
            var response = BookingV1.LeaveWaitlistResponse()
            response.entry = BookingV1.WaitlistEntry(opening.entry, place: 0)
            return response
        }
    }

    /// - Parameter tokenHash: of the token that opens the hold from now on.
    /// - Throws: WAITLIST_ENTRY_NOT_FOUND, OFFER_EXPIRED, INVALID_TRANSITION; what is wrong with
    ///   the hold when it was claimed before.
    func claim(
        _ proof: Proof, tokenHash: (UUID) -> [UInt8], _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.ClaimOfferResponse {
        try await perform(use) { servesLine, transaction, last in
            var opening = try await open(proof, servesLine, transaction)
            var hold = opening.hold
            if opening.entry.status == .claimed {
                if let refusal = HoldRules.refusal(hold, hold?.tokenHash ?? []) { throw refusal }
            } else {
                let next = try WaitlistRules.decide(opening.entry, .claimed)
                guard let offered = hold,
                    // Over between two statements: nothing has happened.
                    let row = try await transaction.query(
                        store.claim(
                            offered.id, tokenHash: tokenHash(offered.id),
                            for: opening.offer.terms.holdTime)
                    ).first
                else { throw WaitlistRules.expired }
                hold = try Hold.read(row)
                opening.entry = next
                opening.ledger.moves.append(
                    WaitlistMove(entry: next, action: .claimed, actor: "public"))
            }
            _ = try await settle(opening.ledger, transaction, &last)
            var response = BookingV1.ClaimOfferResponse()
            response.entry = BookingV1.WaitlistEntry(opening.entry, place: 0)
            response.hold = hold.map { BookingV1.Hold($0, opening.offer) }
            return response
        }
    }

    // MARK: Pieces

    private func perform<Response: Message>(
        _ use: IdempotencyTable.Use?,
        _ body: (_ servesLine: Bool, PostgresTransaction, inout [SQL]) async throws -> Response
    ) async throws -> Response {
        do {
            return try await IdempotencyTable.perform(use, on: store.pool) {
                try await body(true, $0, &$1)
            }
        } catch is SeatLost {
            // A resource was occupied while seats were offered to the next: the line waits on.
            return try await IdempotencyTable.perform(use, on: store.pool) {
                try await body(false, $0, &$1)
            }
        }
    }

    /// The line is served when the entry has been dealt with, not before.
    private func open(
        _ proof: Proof, _ servesLine: Bool, _ transaction: PostgresTransaction
    ) async throws -> Opening {
        let slot = try await store.slot(of: proof.entry, transaction)
        var (ledger, _, rows) = try await store.seats.open(
            [slot],
            after: [
                store.find(proof.entry), store.hold(of: proof.entry), HoldOffer.select([slot]),
            ], servesLine: false, transaction)
        guard let found = try rows[0].first.map(WaitlistEntry.read),
            found.isProved(by: proof.tokenHash) || PlantedBug.claimUnproved.isPlanted,
            let offer = try HoldOffer.read(rows[2])[slot]
        else { throw WaitlistStore.notFound }
        ledger.servesLine = servesLine
        // That its offer has lapsed is not in the table yet.
        let moved = ledger.moves.last { $0.entry.id == found.id }?.entry
        return Opening(
            ledger: ledger, entry: moved ?? found, hold: try rows[1].first.map(Hold.read),
            offer: offer)
    }

    private func settle(
        _ ledger: SeatLedger, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> BookingStore.Settlement {
        let settlement = try await store.seats.settle(ledger, transaction, &last)
        if !settlement.events.isEmpty { last.append(Outbox.insert(settlement.events)) }
        return settlement
    }
}
