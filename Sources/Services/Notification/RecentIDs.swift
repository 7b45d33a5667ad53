import Environment

/// The last event ids: a relay that died between delivery and mark sends an event again.
struct RecentIDs {
    private let limit: Int
    private var known: Set<UUID> = []
    private var order: [UUID] = []
    private var next = 0

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    /// - Returns: false when the id is among the recent ones.
    mutating func insert(_ id: UUID) -> Bool {
        guard known.insert(id).inserted else { return false }
        if order.count < limit {
            order.append(id)
        } else {
            known.remove(order[next])
            order[next] = id
            next = (next + 1) % limit
        }
        return true
    }
}
