import Loop

/// Pings a connection that has become silent, and says when it is dead (gRFC A8). The ping leaves
/// after one to one and a half times the set time, so that reading bytes costs no look at the
/// clock. Loop only.
final class Keepalive {
    /// Set whenever bytes arrive.
    @exclusivity(unchecked) var heard = true

    private let loop: EventLoop
    private let timeout: Duration
    private let isWanted: () -> Bool
    private let ping: () -> Void
    private let onDeath: () -> Void
    private var ticks: LoopTimer?
    private var deadline: LoopTimer?
    private var silentTicks = 0

    /// - Parameter isWanted: false: no call runs, and pings are for calls only.
    init(
        loop: EventLoop, time: Duration, timeout: Duration, isWanted: @escaping () -> Bool,
        ping: @escaping () -> Void, onDeath: @escaping () -> Void
    ) {
        self.loop = loop
        self.timeout = timeout
        self.isWanted = isWanted
        self.ping = ping
        self.onDeath = onDeath
        ticks = loop.schedule(every: time / 2) { [weak self] in self?.tick() }
    }

    private func tick() {
        guard deadline == nil else { return }
        guard !heard, isWanted() else {
            heard = false
            silentTicks = 0
            return
        }
        silentTicks += 1
        guard silentTicks == 2 else { return }
        silentTicks = 0
        ping()
        deadline = loop.schedule(after: timeout) { [weak self] in self?.timeIsUp() }
    }

    private func timeIsUp() {
        deadline = nil
        if !heard { onDeath() }
    }

    /// The answer to the ping.
    func pong() {
        deadline?.cancel()
        deadline = nil
    }

    func stop() {
        ticks?.cancel()
        ticks = nil
        pong()
    }
}
