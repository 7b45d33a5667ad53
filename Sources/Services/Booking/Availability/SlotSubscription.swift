import Environment
import Synchronization

/// What one watcher has not been told yet: the newest state of each slot, so that a slow watcher
/// costs one entry a slot and never misses the end state.
final class SlotSubscription: Sendable {
    enum Batch: Sendable {
        /// In the order in which they first changed, and where the feed was then.
        case changed([Slot], SlotChanges.Position?)
        /// Too much happened: a new snapshot is due.
        case overflow
    }

    private struct State {
        var order: [UUID] = []
        var slots: [UUID: Slot] = [:]
        var position: SlotChanges.Position?
        var overflowed = false
        var cancelled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    /// Slots that may wait at most.
    static let limit = 1000

    private let filter: SlotFilter
    private let state = Mutex(State())

    init(_ filter: SlotFilter) { self.filter = filter }

    func matches(_ slot: Slot) -> Bool {
        let course = filter.course
        return
            (course.isEmpty || slot.offering.code == course
            || slot.offering.id.description == course.lowercased())
            && filter.resources.allSatisfy { id in slot.resources.contains { $0.id == id } }
            && (filter.location == nil || filter.location == slot.locationID)
    }

    func push(_ slot: Slot, _ position: SlotChanges.Position? = nil) {
        change { state in
            state.position = position
            if state.slots.updateValue(slot, forKey: slot.id) == nil { state.order.append(slot.id) }
            if state.order.count > Self.limit { state.overflowed = true }
        }
    }

    func overflow() { change { $0.overflowed = true } }

    private func change(_ body: (inout State) -> Void) {
        let waiter = state.withLock { state in
            body(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// The next changes; waits for one. Nil when the task is cancelled.
    func next() async -> Batch? {
        while true {
            let batch: Batch?? = state.withLock { state in
                if state.cancelled { return .some(nil) }
                if state.overflowed {
                    state.overflowed = false
                    state.order = []
                    state.slots = [:]
                    return .some(.overflow)
                }
                guard !state.order.isEmpty else { return nil }
                let slots = state.order.compactMap { state.slots[$0] }
                state.order = []
                state.slots = [:]
                return .some(.changed(slots, state.position))
            }
            if let batch { return batch }
            await wait()
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if state.cancelled || state.overflowed || !state.order.isEmpty { return true }
                    state.waiter = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            change { $0.cancelled = true }
        }
    }
}
