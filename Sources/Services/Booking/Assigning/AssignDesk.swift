import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// Gives bookings their slots: any number of them in one transaction, each with its own outcome.
///
/// What is not plain is left to ``BookingTransitions``, one by one: what has lapsed, claims that may
/// give way, rows and keys that somebody else has, and everything of a transaction that failed, so
/// that nobody fails by another's order or waits for it.
struct AssignDesk: Sendable {
    typealias Order = BookingTransitions.Order
    typealias Answer = BookingV1.AssignSlotResponse
    /// Nil: the order must be asked about ``alone(_:)``.
    typealias Outcome = Result<Answer?, any Error>

    let transitions: BookingTransitions

    /// Who loses a claim to another process sees it at the next try.
    static let attempts = 3

    private struct Unsettled: Error {}

    private var store: BookingStore { transitions.store }

    /// The outcomes of the orders, in their order.
    func assign(_ orders: [Order]) async -> [Outcome] {
        var outcomes: [Outcome] = Array(repeating: .success(nil), count: orders.count)
        for _ in 0..<Self.attempts {
            do {
                outcomes = try await attempt(orders)
            } catch is SeatLost {
                continue
            } catch let error as PostgresError where error.isUnavailable || error.isAmbiguous {
                // A key settles what became of a lost COMMIT; without one nobody can say.
                for (index, order) in orders.enumerated()
                where order.idempotency == nil || !error.isAmbiguous {
                    outcomes[index] = .failure(error)
                }
            } catch {}
            break
        }
        return outcomes
    }

    /// The answer to one order in a transaction of its own, which waits as long as ever.
    func alone(_ order: Order) async throws -> Answer {
        try await transitions.run(order, Self.response)
    }

    static func response(_ outcome: BookingTransitions.Outcome) -> Answer {
        var response = Answer()
        response.booking = BookingV1.Booking(outcome.booking)
        response.slot = outcome.slot.map { BookingV1.Slot($0) }
        return response
    }

    // MARK: One transaction

    /// - Throws: `SeatLost` when another process was faster with a claim.
    private func attempt(_ orders: [Order]) async throws -> [Outcome] {
        var (outcomes, lost) = try await store.pool.transaction { transaction in
            try await run(orders, transaction)
        }
        // The others have their seats: who lost is asked about alone when nobody can say why.
        guard let reasons = try? await store.reasons(for: lost.map(\.1)) else { return outcomes }
        let errors = reasons.errors(lost.map(\.1), toStaff: true)
        for (index, lost) in lost where !reasons.mayGiveWay(to: lost.slot.id) {
            outcomes[index] = errors[lost.reason].map { .failure($0) } ?? .success(nil)
        }
        return outcomes
    }

    private func run(
        _ orders: [Order], _ transaction: PostgresTransaction
    ) async throws -> ([Outcome], [(Int, SeatLost)]) {
        let slots = Array(Set(orders.compactMap(\.slot))).sorted()
        let uses = orders.compactMap(\.idempotency)
        let (ledger, _, rows) = try await store.open(
            slots,
            before: [SharedTransaction.patience]
                + (uses.isEmpty ? [] : [IdempotencyTable.lock(uses)]),
            after: [
                store.lock(orders.map(\.booking)),
                IdempotencyTable.answers(uses),
                store.requests(for: slots),
            ], transaction)
        guard ledger.changed.isEmpty, ledger.lapsed.isEmpty, ledger.moves.isEmpty else {
            throw Unsettled()
        }
        var decisions = AssignDecisions(
            ledger, try rows[0].map(BookingRow.read), try IdempotencyTable.Answers(rows[1]))
        var outcomes: [Outcome] = Array(repeating: .success(nil), count: orders.count)
        var given: [AssignStatements.Given] = []
        var lost: [(Int, SeatLost)] = []
        for (index, order) in orders.enumerated() {
            switch decisions.decide(order) {
            case .answered(let bytes): outcomes[index] = .success(try Answer(decoding: bytes))
            case .refused(let error): outcomes[index] = .failure(error)
            case .lost(let seat): lost.append((index, seat))
            case .given(let decision): given.append((index, order, decision))
            case .alone: break
            }
        }
        if !given.isEmpty {
            let requests = try BookingStore.requests(rows[2])
            try await commit(given, decisions, requests, transaction, &outcomes)
        }
        return (outcomes, lost)
    }

    private func commit(
        _ given: [AssignStatements.Given], _ decisions: AssignDecisions,
        _ requests: [UUID: [UUID]], _ transaction: PostgresTransaction,
        _ outcomes: inout [Outcome]
    ) async throws {
        let at = decisions.ledger.at
        var last = AssignStatements.rows(given, at: at)
        let settlement = try await store.settle(decisions.ledger, transaction, &last)
        var events: [OutboxEvent] = []
        var kept: [(use: IdempotencyTable.Use, response: [UInt8])] = []
        var winners: [UUID: Set<UUID>] = [:]
        for (index, order, decision) in given {
            guard let before = decisions.booking(of: order), let slot = order.slot else { continue }
            events += BookingEvents.of(decision, from: before, by: order.actor, at: at)
            winners[slot, default: []].insert(order.booking)
            let answer = Self.response(
                BookingTransitions.Outcome(
                    booking: decision.booking, slot: settlement.slots[slot]))
            outcomes[index] = .success(answer)
            if let use = order.idempotency { kept.append((use, answer.encoded())) }
        }
        events += settlement.changes
        let taken = winners.keys.sorted().compactMap { settlement.slots[$0] }
        events += taken.map {
            BookingEvents.schedule($0, action: "slot_assigned", version: $0.version, at: at)
        }
        events += settlement.further
        for slot in taken where slot.remaining == 0 {
            events += BookingEvents.choicesLost(
                slot, requests, by: winners[slot.id, default: []], at: at)
        }
        if !kept.isEmpty, !PlantedBug.answerNotKept.isPlanted {
            last.append(IdempotencyTable.keep(kept, at: at))
        }
        last.append(Outbox.insert(events))
        try await transaction.commit(with: last)
    }
}
