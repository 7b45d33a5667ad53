import Synchronization

/// How much the clients ask for at once: as much as is answered soon. On a machine that is slower
/// than they are, or whose database is away, all of their windows together would only wait for each
/// other until every patience is over.
///
/// What begins (a registration, a hold, a place in line) waits for its turn; what goes on with it
/// has its turn already, since seats are held for seconds.
final class RacePace: Sendable {
    private struct State {
        var limit = 64.0
        /// Operations on their way.
        var inside = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
        var isClosed = false
        var latency = Duration.zero
        var lastCut = ContinuousClock.now

        mutating func next() -> CheckedContinuation<Bool, Never>? {
            guard !waiting.isEmpty, Double(inside) < limit else { return nil }
            inside += 1
            return waiting.removeFirst()
        }
    }

    private static let bounds = 16.0...1024.0
    private static let soon = Duration.milliseconds(500)
    private static let late = Duration.milliseconds(1500)

    private let state = Mutex(State())

    /// Waits for the turn of something new; false when nothing new is to begin any more.
    func begin() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isClosed { return false }
                if Double(state.inside) < state.limit {
                    state.inside += 1
                    return true
                }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Goes on with what has begun.
    func goOn() { state.withLock { $0.inside += 1 } }

    /// An operation has ended.
    func leave() {
        state.withLock { $0.inside -= 1 }
        admit()
    }

    /// One call has ended, well or not.
    func note(_ time: Duration, isAnswered: Bool) {
        state.withLock { state in
            state.latency = (state.latency * 15 + time) / 16
            if isAnswered, time < Self.soon {
                state.limit = min(state.limit + 4 / state.limit, Self.bounds.upperBound)
            } else if !isAnswered || time > Self.late,
                state.lastCut.duration(to: .now) > .milliseconds(100)
            {
                state.limit = max(state.limit * 0.9, Self.bounds.lowerBound)
                state.lastCut = .now
            }
        }
        admit()
    }

    /// How long to wait before looking again: not less than four times what an answer takes.
    func pause(_ usual: Duration) -> Duration { state.withLock { max(usual, $0.latency * 4) } }

    /// Nothing new begins from now on.
    func close() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isClosed = true
            return state.waiting
        }
        for one in waiting { one.resume(returning: false) }
    }

    private func admit() {
        while let next = state.withLock({ $0.next() }) { next.resume(returning: true) }
    }
}
