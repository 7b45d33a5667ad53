import Glibc
import Loop
import Synchronization

/// SIGINT and SIGTERM; the second one changes nothing.
final class StopSignal: Sendable {
    private struct State {
        var received = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    init(loop: EventLoop) {
        for number in [SIGINT, SIGTERM] { loop.onSignal(number) { [self] in receive() } }
    }

    private func receive() {
        let waiter = state.withLock { state in
            state.received = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at the first signal, or when the task is cancelled because everything else ended.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let received = state.withLock { state in
                    if !state.received { state.waiter = continuation }
                    return state.received
                }
                if received { continuation.resume() }
            }
        } onCancel: {
            receive()
        }
    }
}
