/// A value that somebody waits for, from any thread; one waits at a time.
public actor Signal<Value: Sendable> {
    private var value: Value?
    private var waiter: CheckedContinuation<Value, any Error>?

    public init() {}

    public func set(_ value: Value) {
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: value)
        } else {
            self.value = value
        }
    }

    /// The value, as soon as it is set.
    /// - Throws: `SignalNeverCame` after a minute. A test that waits in vain then fails by its name;
    ///   one that waited on would hang the whole run, which ends without saying where.
    public func wait(atMost patience: Duration = .seconds(60)) async throws -> Value {
        if let value { return value }
        let timer = Task {
            try await Task.sleep(for: patience)
            giveUp()
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { waiter = $0 }
    }

    private func giveUp() {
        waiter?.resume(throwing: SignalNeverCame())
        waiter = nil
    }
}

public struct SignalNeverCame: Error {
    public init() {}
}
