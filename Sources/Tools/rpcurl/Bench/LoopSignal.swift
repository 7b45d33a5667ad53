import Loop

/// Wakes one task of a loop; what is fired while nobody waits is not lost.
final class LoopSignal: @unchecked Sendable {  // confined to `loop`
    private let loop: EventLoop
    private var isFired = false
    private var waiter: CheckedContinuation<Void, Never>?

    init(loop: EventLoop) {
        self.loop = loop
    }

    func fire() {
        loop.preconditionInLoop()
        isFired = true
        waiter?.resume()
        waiter = nil
    }

    func wait() async {
        loop.preconditionInLoop()
        if !isFired { await withCheckedContinuation { waiter = $0 } }
        isFired = false
    }
}
