/// A call that can wait in a `CallQueue`.
protocol WaitingCall: AnyObject {
    /// Written by the queue alone.
    var isPending: Bool { get set }
}

/// Calls that wait, the first one first. Those that end meanwhile are neither counted nor, for
/// long, kept: calls with short deadlines that a dead server makes wait must not use up the limit.
struct CallQueue<Call: WaitingCall> {
    private var calls: [Call] = []
    private var head = 0
    /// Of those that still wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ call: Call) {
        call.isPending = true
        calls.append(call)
        count += 1
    }

    mutating func popFirst() -> Call? {
        while head < calls.count {
            let call = calls[head]
            head += 1
            if head > 1024 || head == calls.count {
                calls.removeFirst(head)
                head = 0
            }
            guard call.isPending else { continue }
            call.isPending = false
            count -= 1
            return call
        }
        return nil
    }

    /// The call does not wait any more.
    mutating func remove(_ call: Call) {
        guard call.isPending else { return }
        call.isPending = false
        count -= 1
        // Each look at all of them is paid for by as many that ended.
        guard calls.count - head >= 2 * count else { return }
        calls = calls[head...].filter(\.isPending)
        head = 0
    }
}
