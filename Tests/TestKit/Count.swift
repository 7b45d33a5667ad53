import Synchronization

/// Counts from any task.
public final class Count: Sendable {
    private let count = Atomic<Int>(0)

    public init() {}

    public var value: Int { count.load(ordering: .relaxed) }

    /// 0, 1, 2 …: each for one caller.
    public func next() -> Int { count.add(1, ordering: .relaxed).oldValue }

    public func add() { count.add(1, ordering: .relaxed) }
}
