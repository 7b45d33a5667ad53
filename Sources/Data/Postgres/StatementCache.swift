/// The prepared statements of one connection, by their text; the least recently used go first.
struct StatementCache {
    private struct Entry {
        var name: String
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    var count: Int { entries.count }

    /// The name of the statement on the server when it is prepared already.
    mutating func name(of text: String) -> String? {
        uses += 1
        // One hash for lookup and update.
        guard let index = entries.index(forKey: text) else { return nil }
        entries.values[index].lastUse = uses
        return entries.values[index].name
    }

    /// A name that this connection has never used.
    mutating func newName() -> String {
        names += 1
        return "s\(names)"
    }

    /// Removes one entry when there is no room for another `pending` ones; its statement must be
    /// deallocated on the server.
    mutating func evict(pending: Int) -> String? {
        guard entries.count + pending >= capacity,
            let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        else { return nil }
        entries.removeValue(forKey: oldest.key)
        return oldest.value.name
    }

    mutating func insert(_ text: String, name: String) {
        uses += 1
        entries[text] = Entry(name: name, lastUse: uses)
    }

    mutating func remove(_ text: String) -> String? {
        entries.removeValue(forKey: text)?.name
    }
}
