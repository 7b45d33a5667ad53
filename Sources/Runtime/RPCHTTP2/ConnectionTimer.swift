import Loop

/// The one timer of a connection, whatever limits it has. It is restarted for an earlier moment
/// only: one that fires too early is cheaper than one that is restarted with every event.
struct ConnectionTimer {
    private var timer: LoopTimer?
    private var armed = ConnectionClock.never

    /// - Parameter tick: looks what is due; begins with ``fired()`` and ends with ``arm(_:on:)``.
    mutating func start(on loop: EventLoop, _ tick: @escaping () -> Void) {
        timer = loop.schedule(every: .seconds(86_400), tick)
    }

    /// Sees to it that it fires in time for `next`; milliseconds of the loop.
    @inline(__always)
    mutating func arm(_ next: UInt64, on loop: EventLoop) {
        guard next < armed else { return }
        restart(next, loop)
    }

    @inline(never)
    private mutating func restart(_ next: UInt64, _ loop: EventLoop) {
        armed = next
        let now = loop.milliseconds
        timer?.restart(after: .milliseconds(next > now ? next - now : 0))
    }

    mutating func fired() { armed = ConnectionClock.never }

    mutating func cancel() {
        timer?.cancel()
        timer = nil
    }
}
