import CUV
import Environment

/// A timer of one loop. Used, cancelled and freed on that loop only; it does not keep the body's
/// objects beyond ``cancel()`` or, for one shot, beyond the shot.
public final class LoopTimer {
    private var handle: UnsafeMutablePointer<uv_timer_t>?
    private var body: (() -> Void)?
    /// The loop stops before the shot.
    fileprivate var whenStopped: (() -> Void)?
    private let repeats: Bool

    fileprivate init(
        loop: EventLoop, after: Duration, every: Duration?, _ body: @escaping () -> Void
    ) {
        self.body = body
        self.repeats = every != nil
        let handle = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
        handle.initialize(to: uv_timer_t())
        uv_timer_init(loop.raw, handle)
        // Balanced in `cancel`, or after the shot: the timer lives while it may still fire.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        self.handle = handle
        uv_update_time(loop.raw)
        uv_timer_start(
            handle, LoopTimer.fired, LoopTimer.milliseconds(after),
            every.map(LoopTimer.milliseconds) ?? 0)
    }

    private static let fired: uv_timer_cb = { handle in
        guard let data = handle?.pointee.data else { return }
        let timer = Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue()
        let body = timer.body
        if !timer.repeats { timer.cancel() }
        body?()
    }

    /// Rounded up: a timer never fires early. A millisecond at least: one that its own body starts
    /// again for this moment would be run again and again by libuv before anything else of the
    /// loop, the end of a closed socket too.
    private static func milliseconds(_ duration: Duration) -> UInt64 {
        let nanoseconds = duration.nanoseconds
        return nanoseconds <= 0 ? 1 : (UInt64(nanoseconds) + 999_999) / 1_000_000
    }

    /// Starts the time anew. Has no effect on a timer that was cancelled or has fired.
    public func restart(after: Duration) {
        guard let handle else { return }
        uv_timer_start(
            handle, LoopTimer.fired, LoopTimer.milliseconds(after), uv_timer_get_repeat(handle))
    }

    /// Stops the timer for good. May be called twice, and from inside the body.
    public func cancel() {
        guard let handle else { return }
        self.handle = nil
        body = nil
        whenStopped = nil
        Handle.close(handle)
        Unmanaged.passUnretained(self).release()
    }

    /// - Parameter data: of the handle of a timer.
    static func loopStops(_ data: UnsafeMutableRawPointer) {
        let timer = Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue()
        let told = timer.whenStopped
        timer.cancel()
        told?()
    }
}

extension EventLoop {
    /// Calls `body` once on the loop after at least `after`, and at least a millisecond. Loop only.
    public func schedule(after: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        preconditionInLoop()
        return LoopTimer(loop: self, after: after, every: nil, body)
    }

    /// Calls `body` on the loop every `every`, first after one period. Loop only.
    public func schedule(every: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        preconditionInLoop()
        return LoopTimer(loop: self, after: every, every: every, body)
    }

    /// Suspends the caller for at least `duration`.
    /// - Throws: `CancellationError` as soon as the caller's task is cancelled; `LoopError`
    ///   (ECANCELED) when the loop has stopped.
    public func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await suspend("sleep") { [self] continuation in
                sleeper.start(continuation, on: self, duration)
            }
        } onCancel: {
            execute { sleeper.cancel() }
        }
    }
}

/// The continuation of one sleep, confined to the loop.
private final class Sleeper: @unchecked Sendable {  // every method runs on the loop
    private var continuation: CheckedContinuation<Void, any Error>?
    private var timer: LoopTimer?
    private var cancelled = false

    func start(
        _ continuation: CheckedContinuation<Void, any Error>, on loop: EventLoop,
        _ duration: Duration
    ) {
        if cancelled {
            continuation.resume(throwing: CancellationError())
            return
        }
        self.continuation = continuation
        timer = loop.schedule(after: duration) { [self] in
            self.continuation?.resume()
            self.continuation = nil
        }
        timer?.whenStopped = { [self] in
            self.continuation?.resume(throwing: LoopError.cancelled("sleep"))
            self.continuation = nil
        }
    }

    func cancel() {
        cancelled = true
        timer?.cancel()
        continuation?.resume(throwing: CancellationError())
        continuation = nil
    }
}
