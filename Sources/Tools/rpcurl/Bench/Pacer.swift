import Environment
import Glibc
import Loop
import Synchronization

/// Says when the next call of an open loop is due. It sleeps on a thread of its own: the loop's
/// timers are exact to a millisecond only, and a late call would be measured as a slow one.
final class Pacer: Sendable {
    /// Ticks closer than this are one.
    private static let shortestTick: UInt64 = 50_000
    /// So often it looks whether it was stopped.
    private static let longestSleep: UInt64 = 20_000_000

    private let start: Deadline
    private let rate: Double
    private let stopped = Atomic<Bool>(false)
    /// A tick is on its way to the loop.
    private let pending = Atomic<Bool>(false)

    init(start: Deadline, rate: Double) {
        self.start = start
        self.rate = rate
    }

    /// When call `index` (from 0) should begin.
    func due(_ index: Int) -> Deadline {
        Deadline(nanoseconds: start.nanoseconds + UInt64(Double(index) * 1e9 / rate))
    }

    func stop() { stopped.store(true, ordering: .relaxed) }

    /// Fires the signal whenever a call is due, until `stop`.
    func run(on loop: EventLoop, _ signal: LoopSignal) async {
        try? await loop.blocking { [self] in
            while !stopped.load(ordering: .relaxed) {
                let now = Deadline.now()
                let passed = Double(now.nanoseconds) - Double(start.nanoseconds)
                let next = passed < 0 ? 0 : Int(passed * rate / 1e9) + 1
                let wait = max(
                    Pacer.shortestTick, now.duration(to: due(next)).nanoseconds.magnitude)
                Pacer.sleep(min(wait, Pacer.longestSleep))
                guard Deadline.now() >= start, !pending.exchange(true, ordering: .relaxed) else {
                    continue
                }
                loop.execute { [self] in
                    pending.store(false, ordering: .relaxed)
                    signal.fire()
                }
            }
        }
    }

    private static func sleep(_ nanoseconds: UInt64) {
        var time = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        // A signal only makes it look sooner.
        _ = nanosleep(&time, nil)
    }
}
