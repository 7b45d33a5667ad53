import Domain
import Environment
import Postgres
import Protobuf
import Schema
import Synchronization

/// Places holds: any number of them in one transaction, each with its own outcome.
struct HoldDesk: Sendable {
    typealias Answer = BookingV1.PlaceHoldResponse
    typealias Outcome = Result<Answer, any Error>

    let store: HoldStore
    let full = FullSlots()

    /// The outcomes of the orders, in their order. What fails all together is done again one by
    /// one, so that nobody fails by another's order.
    func place(_ orders: [HoldOrder]) async -> [Outcome] {
        let refusals = await refusals(orders)
        var outcomes = orders.indices.map { refusals[$0] ?? .failure(CancellationError()) }
        let open = orders.indices.filter { refusals[$0] == nil }
        guard !open.isEmpty else { return outcomes }
        for (index, outcome) in zip(open, await placeAll(open.map { orders[$0] })) {
            outcomes[index] = outcome
        }
        return outcomes
    }

    private func placeAll(_ orders: [HoldOrder]) async -> [Outcome] {
        do {
            return try await attempt(orders)
        } catch {
            guard Self.isWorthRepeating(error, orders.count) else {
                return Array(repeating: .failure(error), count: orders.count)
            }
        }
        return await SharedTransaction.apart(orders) { order in
            try await IdempotencyTable.settling(on: store.pool) { _ in
                try await attempt([order])[0]
            }.get()
        }
    }

    /// A database that is not there is not there for one alone either. One alone is repeated when
    /// a twin has taken its key meanwhile: the twin's answer is found then.
    private static func isWorthRepeating(_ error: any Error, _ count: Int) -> Bool {
        guard let error = error as? PostgresError else { return count > 1 }
        if error.isAmbiguous || error.sqlState == .uniqueViolation { return true }
        return count > 1 && !error.isUnavailable
    }

    // MARK: Refusing

    /// Refuses, without any lock, whom a look finds no seat for, among those who ask for a slot
    /// that was full a moment ago. A key that has an answer is left to the transaction, and so is
    /// a holder whom another one decides about: it may be the first try of the same request.
    private func refusals(_ orders: [HoldOrder]) async -> [Int: Outcome] {
        let asked = orders.indices.filter { full.contains(orders[$0].slot) }
        guard !asked.isEmpty else { return [:] }
        do {
            let slots = Array(Set(asked.map { orders[$0].slot })).sorted()
            let rows = try await store.pool.atomically(
                [
                    SlotRow.plannedOnce, store.idle(asked.map { orders[$0].holderKey }),
                    store.free(slots),
                    IdempotencyTable.answers(asked.map { orders[$0].use }),
                    "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(slots))",
                ], options: TransactionOptions(isReadOnly: true))
            var free: [UUID: Int] = [:]
            let idle = Set(try rows[1].map { try $0[0] as Int64 })
            for row in rows[2] { free[try row[0]] = try row[1] }
            let answered = try IdempotencyTable.Answers(rows[3])
            let lost = try rows[4].map(SlotRow.read).filter { free[$0.id, default: 1] <= 0 }
                .map { SeatLost(slot: $0, code: .capacityExceeded) }
            let told = try await store.seats.reasons(for: lost).errors(lost, toStaff: false)
            let reasons = Dictionary(
                lost.map { ($0.slot.id, $0.reason) }, uniquingKeysWith: { first, _ in first })
            for slot in slots where reasons[slot] == nil { full.remove(slot) }
            var refusals: [Int: Outcome] = [:]
            for index in asked {
                guard idle.contains(AdvisoryLock.number(orders[index].holderKey)),
                    !answered.contains(orders[index].use),
                    let error = reasons[orders[index].slot].flatMap({ told[$0] })
                else { continue }
                refusals[index] = .failure(error)
            }
            return refusals
        } catch {
            // The transaction will find out, and say why.
            return [:]
        }
    }

    // MARK: One transaction

    /// - Throws: only when nobody has been given anything.
    private func attempt(_ orders: [HoldOrder], mayClear: Bool = true) async throws -> [Outcome] {
        var results = try await transact(orders)
        let lost = results.enumerated().compactMap { index, result -> (Int, SeatLost)? in
            guard case .failure(let error) = result, let lost = error as? SeatLost else {
                return nil
            }
            return (index, lost)
        }
        let reasons = (try? await store.seats.reasons(for: lost.map(\.1))) ?? .none
        if mayClear, !reasons.lapsed.isEmpty,
            (try? await SeatSweep(store: store.seats).clear(reasons.lapsed)) == true
        {
            let again = await repeated(lost.map { orders[$0.0] })
            for ((index, _), outcome) in zip(lost, again) { results[index] = outcome }
            return results
        }
        let told = reasons.errors(lost.map(\.1), toStaff: false)
        for (index, lost) in lost {
            if lost.code == .capacityExceeded { full.insert(lost.slot.id) }
            results[index] = told[lost.reason].map { .failure($0) } ?? results[index]
        }
        return results
    }

    private func repeated(_ orders: [HoldOrder]) async -> [Outcome] {
        do {
            return try await attempt(orders, mayClear: false)
        } catch {
            return orders.map { _ in .failure(error) }
        }
    }

    /// A resource is occupied: nobody can have a seat of the slot that all have asked for, but who
    /// has been answered before is answered.
    private struct Occupied: Error {
        let outcomes: [Outcome]
    }

    private func transact(_ orders: [HoldOrder]) async throws -> [Outcome] {
        do {
            return try await store.pool.transaction { transaction in
                try await run(orders, transaction)
            }
        } catch let occupied as Occupied {
            return occupied.outcomes
        }
    }

    private func run(
        _ orders: [HoldOrder], _ transaction: PostgresTransaction
    ) async throws -> [Outcome] {
        let slots = orders.map(\.slot)
        let holders = orders.map(\.holderKey)
        var (ledger, _, rows) = try await store.seats.open(
            slots, before: [store.lockHolders(holders)],
            after: [
                HoldOffer.select(Array(Set(slots)).sorted()),
                IdempotencyTable.answers(orders.map(\.use)),
                store.live(holders),
            ], transaction)
        let answered = try IdempotencyTable.Answers(rows[1])
        var decisions = HoldDecisions(
            offers: try HoldOffer.read(rows[0]), answers: answered,
            live: try HoldDecisions.live(rows[2]))
        let outcomes = orders.map { decisions.decide($0, &ledger) }
        if PlantedBug.seatsLostByRefusal.isPlanted, decisions.placed.isEmpty { return outcomes }
        // Also when all are refused: what was found dead must not commit without its seats.
        var last: [SQL] = []
        let settlement: BookingStore.Settlement
        do {
            settlement = try await store.seats.settle(ledger, transaction, &last)
        } catch let lost as SeatLost where orders.allSatisfy({ $0.slot == lost.slot.id }) {
            throw Occupied(
                outcomes: zip(orders, outcomes).map { order, outcome in
                    answered.contains(order.use) ? outcome : .failure(lost)
                })
        }
        if !decisions.placed.isEmpty { last += store.insert(decisions.placed, at: ledger.at) }
        if !settlement.events.isEmpty { last.append(Outbox.insert(settlement.events)) }
        if !last.isEmpty { try await transaction.commit(with: last) }
        return outcomes
    }
}
