import Environment
import Synchronization

/// Slots that were full a moment ago. Only a hint where to look before locking; it decides nothing.
final class FullSlots: Sendable {
    private let slots = Mutex<Set<UUID>>([])

    /// Beyond that many all are forgotten.
    static let limit = 1024

    func contains(_ slot: UUID) -> Bool { slots.withLock { $0.contains(slot) } }

    func insert(_ slot: UUID) {
        slots.withLock { slots in
            if slots.count >= Self.limit { slots.removeAll() }
            slots.insert(slot)
        }
    }

    func remove(_ slot: UUID) { slots.withLock { _ = $0.remove(slot) } }
}
