/// The last `capacity` elements, to know one that comes again.
public struct RecentSet<Element: Hashable & Sendable>: Sendable {
    private let capacity: Int
    private var known: Set<Element> = []
    private var order: [Element] = []
    private var oldest = 0

    /// - Parameter capacity: at least 1.
    public init(capacity: Int) { self.capacity = max(capacity, 1) }

    /// - Returns: false when the element is among the recent ones.
    public mutating func insert(_ element: Element) -> Bool {
        guard known.insert(element).inserted else { return false }
        if order.count < capacity {
            order.append(element)
        } else {
            known.remove(order[oldest])
            order[oldest] = element
            oldest = (oldest + 1) % capacity
        }
        return true
    }
}
