/// The ids of the last events, to know one that comes again.
struct RecentEvents: Sendable {
    private let capacity: Int
    private var known: Set<String> = []
    private var order: [String] = []
    private var oldest = 0

    init(capacity: Int) { self.capacity = capacity }

    /// False when the id was seen among the last `capacity` ones. An empty id is always new.
    mutating func insert(_ id: String) -> Bool {
        guard !id.isEmpty else { return true }
        guard known.insert(id).inserted else { return false }
        if order.count < capacity {
            order.append(id)
        } else {
            known.remove(order[oldest])
            order[oldest] = id
            oldest = (oldest + 1) % capacity
        }
        return true
    }
}
