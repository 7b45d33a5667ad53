import Environment

/// The last changes that one life of the feed has seen, in their order, so that a watcher who comes
/// back is told only what it has missed.
///
/// A position holds for one life of one process: after an interruption nobody knows what was missed
/// in between, and a watcher starts from a snapshot.
struct SlotChanges: Sendable {
    /// Kept at least; twice as many at most.
    static let limit = 10_000

    struct Position: Sendable, Hashable {
        let life: UUID
        /// How many changes this life has seen.
        let count: Int

        var text: String { "\(life).\(count)" }

        init(life: UUID, count: Int) {
            self.life = life
            self.count = count
        }

        /// Nil for what is no position of ours.
        init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, let life = UUID(String(parts[0])), let count = Int(parts[1]),
                count >= 0
            else { return nil }
            self.init(life: life, count: count)
        }
    }

    private let life: UUID
    /// Changes before the first that is kept.
    private var dropped = 0
    private var slots: [UUID] = []

    init(life: UUID) { self.life = life }

    var position: Position { Position(life: life, count: dropped + slots.count) }

    mutating func append(_ slot: UUID) {
        slots.append(slot)
        if slots.count == Self.limit * 2 {
            slots.removeFirst(Self.limit)
            dropped += Self.limit
        }
    }

    /// The slots that changed after a position, each once; nil when that is not known (any more).
    func since(_ position: Position) -> [UUID]? {
        guard position.life == life, (dropped...dropped + slots.count).contains(position.count)
        else { return nil }
        var seen: Set<UUID> = []
        return slots[(position.count - dropped)...].filter { seen.insert($0).inserted }
    }
}
