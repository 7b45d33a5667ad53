import Loop

/// A queue between the tasks of one loop: who puts into a full one waits.
final class BoundedQueue<Element: Sendable>: @unchecked Sendable {  // confined to `loop`
    private let loop: EventLoop
    private let capacity: Int
    private var elements: [Element] = []
    private var head = 0
    private var finished = false
    private var taker: CheckedContinuation<Void, Never>?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(loop: EventLoop, capacity: Int) {
        self.loop = loop
        self.capacity = capacity
    }

    private var count: Int { elements.count - head }

    /// After `finish` the element is dropped.
    func put(_ element: Element) async {
        loop.preconditionInLoop()
        while count >= capacity, !finished {
            await withCheckedContinuation { waiting.append($0) }
        }
        putNow(element)
    }

    /// As `put`, beyond the capacity when need be: for what must not wait.
    func putNow(_ element: Element) {
        loop.preconditionInLoop()
        if finished { return }
        elements.append(element)
        wakeTaker()
    }

    /// Nil after `finish`, when all has been taken. One task takes; cancelling it changes nothing.
    func next() async -> Element? {
        loop.preconditionInLoop()
        while count == 0 {
            if finished { return nil }
            await withCheckedContinuation { taker = $0 }
        }
        let element = elements[head]
        head += 1
        if head == elements.count || head > 1024 {
            elements.removeFirst(head)
            head = 0
        }
        if !waiting.isEmpty { waiting.removeFirst().resume() }
        return element
    }

    func finish() {
        loop.preconditionInLoop()
        finished = true
        wakeTaker()
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    private func wakeTaker() {
        taker?.resume()
        taker = nil
    }
}
