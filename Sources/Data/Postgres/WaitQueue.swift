import Environment

/// One caller that waits for a connection. Loop only.
final class Waiter: @unchecked Sendable {
    typealias Outcome = Result<PostgresConnection, PostgresError>

    /// The caller's own deadline.
    let deadline: Deadline
    /// When waiting ends: the deadline or the pool's limit, whichever is earlier.
    var waitsUntil: Deadline
    private var completion: ((Outcome) -> Void)?

    init(deadline: Deadline, _ completion: @escaping (Outcome) -> Void) {
        self.deadline = deadline
        waitsUntil = deadline
        self.completion = completion
    }

    var isDone: Bool { completion == nil }

    func answer(_ outcome: Outcome) {
        guard let completion else { return }
        self.completion = nil
        completion(outcome)
    }
}

/// Waiters in the order of their arrival. Loop only.
struct WaitQueue {
    private var items: [Waiter] = []
    private var head = 0
    /// Waiters that are not done.
    private(set) var count = 0

    mutating func append(_ waiter: Waiter) {
        items.append(waiter)
        count += 1
    }

    mutating func popFirst() -> Waiter? {
        while head < items.count {
            let waiter = items[head]
            head += 1
            compact()
            if !waiter.isDone {
                count -= 1
                return waiter
            }
        }
        return nil
    }

    /// Answers a waiter that leaves from the middle.
    mutating func fail(_ waiter: Waiter, _ error: PostgresError) {
        guard !waiter.isDone else { return }
        count -= 1
        waiter.answer(.failure(error))
    }

    /// Takes out those that waited too long.
    mutating func takeExpired(_ now: Deadline) -> [Waiter] {
        let live = items[head...].filter { !$0.isDone }
        let expired = live.filter { $0.waitsUntil <= now }
        items = live.filter { $0.waitsUntil > now }
        head = 0
        count = items.count
        return expired
    }

    /// When the next one has waited too long.
    var earliest: Deadline? {
        items[head...].lazy.filter { !$0.isDone }.map(\.waitsUntil).min()
    }

    private mutating func compact() {
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024 {
            items.removeFirst(head)
            head = 0
        }
    }
}
