import Environment
import RPC
import Schema
import Synchronization

/// What a client of Availability.Watch knows: snapshots replace, newer versions win.
final class Watcher: Sendable {
    private let known: Known
    private let task: Task<Void, any Error>

    private final class Known: Sendable {
        let slots = Mutex<[String: BookingV1.Slot]>([:])
    }

    init(_ answers: ResponseStream<BookingV1.WatchResponse>) {
        let known = Known()
        self.known = known
        task = Task {
            for try await answer in answers {
                if let snapshot = answer.snapshotSlots {
                    known.slots.withLock { slots in
                        slots = Dictionary(uniqueKeysWithValues: snapshot.map { ($0.id, $0) })
                    }
                } else if let slot = answer.changedSlot {
                    known.slots.withLock { slots in
                        if slot.version > slots[slot.id]?.version ?? 0 { slots[slot.id] = slot }
                    }
                }
            }
        }
    }

    var slots: [String: BookingV1.Slot] { known.slots.withLock { $0 } }

    subscript(_ plan: SlotPlan) -> BookingV1.Slot? { slots[plan.id.description] }

    func stop() { task.cancel() }
}
