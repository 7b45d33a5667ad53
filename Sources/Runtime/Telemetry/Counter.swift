import Synchronization

/// A number that only grows. Keep the handle; `add` is one atomic instruction.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    public func add(_ amount: Int = 1) {
        precondition(amount >= 0, "a counter never falls: \(amount)")
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    public var value: UInt64 { count.load(ordering: .relaxed) }
}
