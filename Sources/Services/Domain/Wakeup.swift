import Loop
import Synchronization

/// Lets one task wait until there is something to do, or until a time has passed.
/// A signal that comes while nobody waits is kept (once).
final class Wakeup: Sendable {
    private struct State {
        var signalled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Wakes the waiter, or the next one. Any thread.
    func signal() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            state.signalled = state.waiter == nil
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at a signal, after `duration`, or when the task is cancelled.
    func wait(upTo duration: Duration, on loop: EventLoop) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) {
                // Only time that really passed wakes: a cancelled sleep must not leave a signal.
                if (try? await loop.sleep(for: duration)) != nil { self.signal() }
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let ready = state.withLock { state in
                        if state.signalled {
                            state.signalled = false
                            return true
                        }
                        state.waiter = continuation
                        return false
                    }
                    if ready { continuation.resume() }
                }
            } onCancel: {
                signal()
            }
            group.cancelAll()
        }
    }
}
