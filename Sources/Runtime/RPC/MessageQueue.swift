/// Received messages in order. The usual call has one, which needs no array; compressed ones are
/// marked, which costs nothing while there are none.
package struct MessageQueue {
    private var front: [UInt8]?
    private var rest: [[UInt8]] = []
    private var head = 0
    private var frontIsCompressed = false
    /// Beside `rest`; empty until a compressed message has come.
    private var restMarks: [Bool] = []
    /// A compressed message has come at some time.
    package private(set) var hasCompressed = false
    /// Of the message that was taken last.
    package private(set) var lastWasCompressed = false

    package init() {}

    package var isEmpty: Bool { front == nil }

    package mutating func append(_ message: [UInt8], isCompressed: Bool = false) {
        if isCompressed || hasCompressed { mark(isCompressed) }
        if front == nil {
            front = message
        } else {
            rest.append(message)
        }
    }

    private mutating func mark(_ isCompressed: Bool) {
        if !hasCompressed {
            hasCompressed = true
            restMarks = Array(repeating: false, count: rest.count)
        }
        if front == nil {
            frontIsCompressed = isCompressed
        } else {
            restMarks.append(isCompressed)
        }
    }

    /// A message goes to its reader without waiting here.
    package mutating func pass(isCompressed: Bool) {
        guard isCompressed || hasCompressed else { return }
        hasCompressed = true
        lastWasCompressed = isCompressed
    }

    package mutating func popFirst() -> [UInt8]? {
        guard let message = front else { return nil }
        if hasCompressed {
            lastWasCompressed = frontIsCompressed
            if head < rest.count { frontIsCompressed = restMarks[head] }
        }
        front = nil
        if head < rest.count {
            front = rest[head]
            rest[head] = []
            head += 1
            if head == rest.count {
                rest.removeAll(keepingCapacity: true)
                restMarks.removeAll(keepingCapacity: true)
                head = 0
            }
        }
        return message
    }

    package mutating func removeAll() {
        front = nil
        rest.removeAll()
        restMarks.removeAll()
        head = 0
    }
}
