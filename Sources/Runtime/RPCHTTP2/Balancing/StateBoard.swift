import Synchronization

/// The state of a channel for other threads: any number of observers, of whom each finds the
/// newest state only, so that none can hold memory.
final class StateBoard: Sendable {
    private struct Board {
        var state = ChannelState(.idle)
        var observers: [Int: AsyncStream<ChannelState>.Continuation] = [:]
        var next = 0
    }

    private let board = Mutex(Board())

    var state: ChannelState { board.withLock { $0.state } }

    func post(_ state: ChannelState) {
        let observers = board.withLock { board in
            guard board.state != state else {
                return [AsyncStream<ChannelState>.Continuation]()
            }
            board.state = state
            return Array(board.observers.values)
        }
        for observer in observers {
            observer.yield(state)
            if state.connectivity == .shutdown { observer.finish() }
        }
    }

    func observe() -> AsyncStream<ChannelState> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ChannelState.self, bufferingPolicy: .bufferingNewest(1))
        let (id, state) = board.withLock { board in
            board.next += 1
            board.observers[board.next] = continuation
            continuation.yield(board.state)
            return (board.next, board.state)
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.board.withLock { $0.observers.removeValue(forKey: id) }
        }
        if state.connectivity == .shutdown { continuation.finish() }
        return stream
    }
}
