/// The records of one `send`, their results, and who waits for them. Loop only.
final class SendBatch: @unchecked Sendable {  // confined to the producer's loop
    typealias Outcome = Result<KafkaPosition, KafkaError>

    let records: [KafkaRecord]
    /// The first record not yet handed to librdkafka.
    private(set) var next = 0
    private var results: [Outcome?]
    private var unsettled: Int
    private var continuation: CheckedContinuation<[Outcome], Never>?
    private var isCancelled = false

    init(_ records: [KafkaRecord]) {
        self.records = records
        results = Array(repeating: nil, count: records.count)
        unsettled = records.count
    }

    var isHandedOver: Bool { next == records.count }

    func wait(_ continuation: CheckedContinuation<[Outcome], Never>) {
        self.continuation = continuation
        if isCancelled { cancel() }
    }

    func takeNext() -> Int {
        defer { next += 1 }
        return next
    }

    /// Puts back what `takeNext` gave: librdkafka had no room.
    func putBack() { next -= 1 }

    func settle(_ index: Int, _ outcome: Outcome) {
        guard results[index] == nil else { return }
        results[index] = outcome
        unsettled -= 1
        if unsettled == 0 { resume() }
    }

    /// Settles every record that librdkafka does not have.
    func failRest(_ error: KafkaError) {
        while !isHandedOver { settle(takeNext(), .failure(error)) }
    }

    /// May come before ``wait(_:)``.
    func cancel() {
        isCancelled = true
        next = records.count
        resume()
    }

    private func resume() {
        guard let continuation else { return }
        self.continuation = nil
        continuation.resume(returning: results.map { $0 ?? .failure(.cancelled) })
    }
}
