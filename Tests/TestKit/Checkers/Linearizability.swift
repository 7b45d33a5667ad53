/// A thing that behaves as if its operations came one after the other.
public protocol SequentialModel: Hashable {
    associatedtype Action
    /// Whether the action may have had this result in this state; changes the state.
    /// - Parameter isKnown: false when nobody knows the result: any will do.
    mutating func apply(_ action: Action, isKnown: Bool) -> Bool
}

/// Whether a history could have come about one operation after the other, each at some moment
/// between its request and its answer. What has no answer may have happened at any time after its
/// request, or never. Search after Wing and Gong with memory of the states seen (Lowe): exponential
/// at worst, so for short histories, one for each key.
public struct Linearizability<Model: SequentialModel> {
    public struct Operation {
        let action: Model.Action
        let invoked: UInt64
        /// Nil: the outcome is unknown.
        let returned: UInt64?

        public init(_ action: Model.Action, _ invoked: UInt64, _ returned: UInt64?) {
            self.action = action
            self.invoked = invoked
            self.returned = returned
        }
    }

    private struct Place: Hashable {
        let done: [UInt64]
        let state: Model
    }

    private let operations: [Operation]
    private var seen: Set<Place> = []
    private var done: [UInt64]

    public init(_ operations: [Operation]) {
        self.operations = operations.sorted { $0.invoked < $1.invoked }
        done = Array(repeating: 0, count: operations.count / 64 + 1)
    }

    public static func holds(_ operations: [Operation], from start: Model) -> Bool {
        var search = Self(operations)
        return search.search(start)
    }

    private mutating func search(_ state: Model) -> Bool {
        guard seen.insert(Place(done: done, state: state)).inserted else { return false }
        // What must come first ends before anything else that is left begins.
        var firstReturn = UInt64.max
        var isComplete = true
        for (index, operation) in operations.enumerated() where !isDone(index) {
            if let returned = operation.returned {
                firstReturn = min(firstReturn, returned)
                isComplete = false
            }
        }
        if isComplete { return true }
        for (index, operation) in operations.enumerated() where !isDone(index) {
            if operation.invoked > firstReturn { break }
            var next = state
            guard next.apply(operation.action, isKnown: operation.returned != nil) else { continue }
            mark(index)
            if search(next) { return true }
            mark(index)
        }
        return false
    }

    private func isDone(_ index: Int) -> Bool { done[index / 64] >> UInt64(index % 64) & 1 == 1 }

    private mutating func mark(_ index: Int) { done[index / 64] ^= 1 << UInt64(index % 64) }
}

/// The seats of one slot, as customers see them.
public struct SeatRegister: SequentialModel {
    public enum Action: Sendable {
        case book(isGranted: Bool)
        case cancel
        case read(taken: Int)
    }

    private let capacity: Int
    private var taken = 0

    public init(capacity: Int) {
        self.capacity = capacity
    }

    public mutating func apply(_ action: Action, isKnown: Bool) -> Bool {
        switch action {
        case .book(let isGranted):
            let fits = taken < capacity
            guard isKnown else {
                if fits { taken += 1 }
                return fits
            }
            guard fits == isGranted else { return false }
            if isGranted { taken += 1 }
            return true
        case .cancel:
            guard taken > 0 else { return false }
            taken -= 1
            return true
        case .read(let seen): return !isKnown || seen == taken
        }
    }
}
