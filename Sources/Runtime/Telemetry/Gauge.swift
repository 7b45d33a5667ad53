/// A number that rises and falls. Keep the handle; changes never take a lock.
public final class Gauge: Sendable {
    private let number = AtomicDouble(0)

    init() {}

    public func set(_ value: Double) { number.store(value) }
    public func set(_ value: Int) { number.store(Double(value)) }
    public func add(_ amount: Double) { number.add(amount) }
    public func add(_ amount: Int) { number.add(Double(amount)) }

    public var value: Double { number.load() }
}
