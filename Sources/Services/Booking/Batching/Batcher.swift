import Loop
import Postgres
import Synchronization

/// Lets callers that come at the same time share one piece of work: what they wait for is asked
/// for together, and each gets his own outcome.
///
/// Who comes in the same turn of the loop, or while as many pieces run as may run, goes into the
/// next piece. One of the callers carries each piece; when his call is cancelled the piece goes on,
/// for the others.
final class Batcher<Item: Sendable, Answer: Sendable>: Sendable {
    typealias Outcome = Result<Answer, any Error>

    private enum Turn {
        case lead
        case answered(Outcome)
    }

    private struct Waiter {
        let item: Item
        let continuation: CheckedContinuation<Turn, Never>
    }

    private struct State {
        var waiting: [Waiter] = []
        var running = 0
        /// A leader still waits for the end of the turn: who comes now goes with him.
        var isGathering = false
    }

    /// Callers that wait for a piece at most; who comes then is refused, as by the pool.
    static var waitingLimit: Int { 4_096 }

    private let state = Mutex(State())
    private let loop: EventLoop
    private let limit: Int
    private let concurrency: Int
    private let work: @Sendable ([Item]) async -> [Outcome]

    /// - Parameters:
    ///   - limit: items of one piece of work.
    ///   - concurrency: pieces that run at the same time.
    ///   - work: as many outcomes as items, in their order.
    init(
        loop: EventLoop, limit: Int, concurrency: Int,
        work: @escaping @Sendable ([Item]) async -> [Outcome]
    ) {
        self.loop = loop
        self.limit = limit
        self.concurrency = concurrency
        self.work = work
    }

    /// Cancelling has no effect on the work; the caller is answered when it is done.
    ///
    /// - Throws: what the work answers him with; `PostgresError.queueFull` beyond
    ///   ``waitingLimit``.
    func submit(_ item: Item) async throws -> Answer {
        let turn = await withCheckedContinuation { continuation in
            let turn = state.withLock { state -> Turn? in
                guard state.isGathering || state.running >= concurrency else {
                    state.running += 1
                    state.isGathering = true
                    return .lead
                }
                guard state.waiting.count < Self.waitingLimit else {
                    return .answered(Self.refused)
                }
                state.waiting.append(Waiter(item: item, continuation: continuation))
                return nil
            }
            if let turn { continuation.resume(returning: turn) }
        }
        switch turn {
        case .answered(let outcome): return try outcome.get()
        case .lead:
            await turnEnd()
            return try await Task(executorPreference: loop) { await self.lead(item) }.value.get()
        }
    }

    private static var refused: Outcome {
        .failure(
            PostgresError(code: .queueFull, message: "too many callers wait", blame: .database))
    }

    private func turnEnd() async {
        await withCheckedContinuation { continuation in
            loop.execute { [loop] in loop.atTurnEnd { continuation.resume() } }
        }
    }

    private func lead(_ item: Item) async -> Outcome {
        let others = state.withLock { state in
            state.isGathering = false
            let others = Array(state.waiting.prefix(limit - 1))
            state.waiting.removeFirst(others.count)
            return others
        }
        let outcomes = await work([item] + others.map(\.item))
        handOver()
        for (waiter, outcome) in zip(others, outcomes.dropFirst()) {
            waiter.continuation.resume(returning: .answered(outcome))
        }
        return outcomes[0]
    }

    /// The first of those who wait carries the next piece.
    private func handOver() {
        let next = state.withLock { state -> Waiter? in
            if state.waiting.isEmpty || state.isGathering {
                state.running -= 1
                return nil
            }
            state.isGathering = true
            return state.waiting.removeFirst()
        }
        next?.continuation.resume(returning: .lead)
    }
}
