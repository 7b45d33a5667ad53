import Environment
import Synchronization

/// How often values fell below each bound, and their sum. Keep the handle; `observe` takes no lock.
public final class Histogram: @unchecked Sendable {
    /// Upper bounds, ascending; the bucket above the last is `+Inf`.
    public let bounds: [Double]
    // Unchecked only because of this pointer: it is fixed and its elements are atomic.
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let total = AtomicDouble(0)

    /// Seconds, from half a millisecond to ten seconds.
    public static let latencyBounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    init(bounds: [Double]) {
        precondition(!bounds.isEmpty, "a histogram needs a bound")
        for (lower, upper) in zip(bounds, bounds.dropFirst()) {
            precondition(lower < upper, "histogram bounds must ascend: \(bounds)")
        }
        self.bounds = bounds
        counts = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count {
            (counts + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        counts.deinitialize(count: bounds.count + 1)
        counts.deallocate()
    }

    /// Counts a value in the unit of the bounds, by convention seconds. NaN is ignored.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        counts[index].wrappingAdd(1, ordering: .relaxed)
        total.add(value)
    }

    public func observe(_ duration: Duration) {
        observe(duration.secondsValue)
    }

    /// Counts per bucket, not cumulative, `+Inf` last.
    public var bucketCounts: [UInt64] {
        (0...bounds.count).map { counts[$0].load(ordering: .relaxed) }
    }

    public var count: UInt64 { bucketCounts.reduce(0, +) }

    public var sum: Double { total.load() }
}
