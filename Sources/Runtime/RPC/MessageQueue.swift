/// Received messages in order. The usual call has one, which needs no array.
package struct MessageQueue {
    private var front: [UInt8]?
    private var rest: [[UInt8]] = []
    private var head = 0

    package init() {}

    package var isEmpty: Bool { front == nil }

    package mutating func append(_ message: [UInt8]) {
        if front == nil {
            front = message
        } else {
            rest.append(message)
        }
    }

    package mutating func popFirst() -> [UInt8]? {
        guard let message = front else { return nil }
        front = nil
        if head < rest.count {
            front = rest[head]
            rest[head] = []
            head += 1
            if head == rest.count {
                rest.removeAll(keepingCapacity: true)
                head = 0
            }
        }
        return message
    }

    package mutating func removeAll() {
        front = nil
        rest.removeAll()
        head = 0
    }
}
