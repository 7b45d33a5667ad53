import Loop

/// What arrives on a stream, for tests that wait for it.
final class Ear: StreamSocketHandler, @unchecked Sendable {  // confined to the loop
    private(set) var bytes: [UInt8] = []
    private(set) var hasEnded = false
    private(set) var drains = 0
    private(set) var closeError: (any Error)?
    private var isClosed = false
    private var waiters: [(condition: (Ear) -> Bool, CheckedContinuation<Void, Never>)] = []
    var onRead: (() -> Void)?

    func socketDidRead(_ more: UnsafeRawBufferPointer) {
        bytes += more
        onRead?()
        look()
    }
    func socketDidEnd() {
        hasEnded = true
        look()
    }
    func socketDidDrain() {
        drains += 1
        look()
    }
    func socketDidClose(_ error: (any Error)?) {
        closeError = error
        isClosed = true
        look()
    }

    /// Hands over what came and forgets it.
    func drain(_ take: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        let taken = bytes
        bytes = []
        try taken.withUnsafeBytes(take)
    }

    private func look() {
        let ready = waiters.filter { $0.condition(self) }
        waiters.removeAll { $0.condition(self) }
        for waiter in ready { waiter.1.resume() }
    }

    /// Returns when it is true; looked at after each event.
    func wait(on loop: EventLoop, until condition: @escaping @Sendable (Ear) -> Bool) async {
        await withCheckedContinuation { continuation in
            loop.execute { [self] in
                if condition(self) { return continuation.resume() }
                waiters.append((condition, continuation))
            }
        }
    }

    func waitForClose(on loop: EventLoop) async -> String {
        await wait(on: loop) { $0.isClosed }
        return (try? await loop.submit { self.closeError.map { "\($0)" } ?? "" }) ?? ""
    }
}
