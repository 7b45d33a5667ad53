import Synchronization

/// One open call: a bounded queue of encoded answers between the feed and its reader.
///
/// Who does not keep up loses the queue and gets a gap in its place: slow, never wrong.
final class Subscriber: Sendable {
    struct Limit: Sendable {
        var answers = 1024
        var bytes = 4 << 20
    }

    private struct State {
        var queue: [[UInt8]] = []
        var head = 0
        var bytes = 0
        /// What was promised before the first live event is not counted against the reader.
        var allowance = 0
        var isHeld: Bool
        var isClosed = false
        var failure: (any Error)?
        var waiter: CheckedContinuation<[UInt8], any Error>?
    }

    let subscription: Subscription
    private let limit: Limit
    private let state: Mutex<State>

    /// - Parameter isHeld: nothing is handed out before ``release()``.
    init(_ subscription: Subscription, first: [[UInt8]], isHeld: Bool, limit: Limit) {
        self.subscription = subscription
        self.limit = limit
        var state = State(isHeld: isHeld)
        state.queue = first
        state.bytes = first.reduce(0) { $0 + $1.count }
        state.allowance = first.count
        self.state = Mutex(state)
    }

    /// Adds an event if it is for this subscriber. Any thread.
    /// - Returns: false when the subscriber had fallen behind and was given a gap.
    func offer(_ item: FeedItem) -> Bool {
        guard subscription.matches(item) else { return true }
        return add(subscription.isStaff ? item.full : item.view)
    }

    /// Everything before this is lost; the queue may still be read.
    func tell(gap reason: String) { _ = add(Frames.gap(reason)) }

    /// Hands out what was held back.
    func release() {
        resume { state in
            state.isHeld = false
            return true
        }
    }

    private func add(_ answer: [UInt8]) -> Bool {
        resume { state in
            let waiting = state.queue.count - state.head
            let isOver =
                waiting - state.allowance >= limit.answers
                || (waiting > state.allowance && state.bytes + answer.count > limit.bytes)
            if isOver {
                state.queue = [Frames.gap("the subscriber fell behind")]
                state.head = 0
                state.bytes = state.queue[0].count
                state.allowance = 0
            }
            state.queue.append(answer)
            state.bytes += answer.count
            return !isOver
        }
    }

    /// Ends the subscription: the reader gets the error after what it has been given.
    func close(_ error: any Error) {
        resume { state in
            state.isClosed = true
            state.isHeld = false
            state.failure = error
            return true
        }
    }

    /// Changes the state, and hands the next answer to the reader if one waits.
    @discardableResult
    private func resume(_ change: (inout State) -> Bool) -> Bool {
        let (result, waiter, answer) = state.withLock { state in
            let result = change(&state)
            guard let waiter = state.waiter, let answer = Self.take(&state) else {
                return (result, nil as CheckedContinuation<[UInt8], any Error>?, nil as Answer?)
            }
            state.waiter = nil
            return (result, waiter, answer)
        }
        if let waiter, let answer { waiter.resume(with: answer) }
        return result
    }

    private typealias Answer = Result<[UInt8], any Error>

    private static func take(_ state: inout State) -> Answer? {
        guard !state.isHeld else { return nil }
        guard state.head < state.queue.count else { return state.failure.map { .failure($0) } }
        let answer = state.queue[state.head]
        state.queue[state.head] = []
        state.head += 1
        state.bytes -= answer.count
        state.allowance = max(0, state.allowance - 1)
        if state.head == state.queue.count {
            state.queue.removeAll(keepingCapacity: true)
            state.head = 0
        } else if state.head > 256, state.head * 2 > state.queue.count {
            state.queue.removeFirst(state.head)
            state.head = 0
        }
        return .success(answer)
    }

    /// The next answer; one reader at a time.
    /// - Throws: the error of ``close(_:)``, or `CancellationError`.
    func next() async throws -> [UInt8] {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Answer? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if let answer = Self.take(&state) { return answer }
                    state.waiter = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }
}
