import Synchronization

/// A floating-point number that threads add to without a lock.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) {
        bits = Atomic(value.bitPattern)
    }

    borrowing func load() -> Double {
        Double(bitPattern: bits.load(ordering: .relaxed))
    }

    borrowing func store(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    borrowing func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: current) + amount
            let (exchanged, original) = bits.weakCompareExchange(
                expected: current, desired: sum.bitPattern, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}
