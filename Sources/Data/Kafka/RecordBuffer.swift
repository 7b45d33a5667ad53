import Synchronization

/// Records between the loop that fetches them and the one task that reads them: bounded, and it
/// tells the loop to go on once the reader has caught up by half.
final class RecordBuffer: Sendable {
    private let state = Mutex(State())
    private let maximumRecords: Int
    private let maximumBytes: Int

    private struct State {
        var records: [ConsumedRecord?] = []
        var first = 0
        var bytes = 0
        var reader: CheckedContinuation<ConsumedRecord?, any Error>?
        var isPaused = false
        var end: Result<Void, KafkaError>?

        var count: Int { records.count - first }

        mutating func pop() -> ConsumedRecord? {
            guard first < records.count, let record = records[first] else { return nil }
            records[first] = nil
            first += 1
            bytes -= record.record.byteCount
            if first == records.count {
                records.removeAll(keepingCapacity: true)
                first = 0
            }
            return record
        }
    }

    init(maximumRecords: Int, maximumBytes: Int) {
        self.maximumRecords = max(1, maximumRecords)
        self.maximumBytes = max(1, maximumBytes)
    }

    /// Whether the loop may fetch more; when not, the next reader to catch up says so.
    func hasRoom() -> Bool {
        state.withLock { state in
            state.isPaused = state.count >= maximumRecords || state.bytes >= maximumBytes
            return !state.isPaused
        }
    }

    func push(_ record: ConsumedRecord) {
        let reader = state.withLock { state -> CheckedContinuation<ConsumedRecord?, any Error>? in
            guard state.end == nil else { return nil }
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            state.records.append(record)
            state.bytes += record.record.byteCount
            return nil
        }
        reader?.resume(returning: record)
    }

    /// The next record, `nil` after the end or when the reader is cancelled.
    /// - Parameter resume: Called when the loop stopped fetching and should go on.
    func next(resume: @Sendable () -> Void) async throws -> ConsumedRecord? {
        if let record = take(resume: resume) { return record }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state -> Result<ConsumedRecord?, KafkaError>? in
                    precondition(state.reader == nil, "a consumer has one reader at a time")
                    if let record = state.pop() { return .success(record) }
                    if let end = state.end { return end.map { nil } }
                    if Task.isCancelled { return .success(nil) }
                    state.reader = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer.mapError { $0 as any Error }) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }

    private func take(resume: @Sendable () -> Void) -> ConsumedRecord? {
        let (record, mustResume) = state.withLock { state -> (ConsumedRecord?, Bool) in
            let record = state.pop()
            let low = state.count <= maximumRecords / 2 && state.bytes <= maximumBytes / 2
            guard state.isPaused, low else { return (record, false) }
            state.isPaused = false
            return (record, true)
        }
        if mustResume { resume() }
        return record
    }

    /// Forgets what nobody has read: its partitions belong to another member now.
    func removeAll() {
        state.withLock { state in
            state.records = []
            state.first = 0
            state.bytes = 0
        }
    }

    /// Nothing comes any more. What is in the buffer is still read, unless there is an error.
    func finish(_ error: KafkaError? = nil) {
        let reader = state.withLock { state -> CheckedContinuation<ConsumedRecord?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = error.map { .failure($0) } ?? .success(())
            defer { state.reader = nil }
            return state.reader
        }
        if let error {
            reader?.resume(throwing: error)
        } else {
            reader?.resume(returning: nil)
        }
    }
}
