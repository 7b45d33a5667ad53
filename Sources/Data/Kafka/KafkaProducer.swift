public import Loop
public import Telemetry

/// Writes records and tells where each came to lie.
///
/// Idempotent (`enable.idempotence`, `acks=all`): a record is written once and records of one key
/// stay in the order of the calls, across retries and broker outages, for as long as the client
/// lives. Only `PERSISTED` counts as delivered. After a fatal error the client is replaced by
/// itself and what was under way fails with a retriable error: whoever keeps the records (the
/// outbox) sends them again, which may duplicate them.
///
/// Any thread. Call ``close(timeout:)`` at the end; an unclosed producer lives for ever.
public final class KafkaProducer: Sendable {
    private let core: ProducerCore

    /// Does not wait for a broker.
    /// - Throws: ``KafkaError`` when librdkafka refuses a setting.
    public init(
        configuration: KafkaConfiguration, loop: EventLoop, logger: Logger, metrics: Metrics
    ) throws(KafkaError) {
        core = try ProducerCore(
            configuration: configuration, loop: loop, logger: logger.labelled("kafka.producer"),
            metrics: metrics)
        let core = core
        loop.execute { core.start() }
    }

    /// Writes one record and returns its place once the brokers have it. Suspends while too much
    /// is in flight and while no broker can be reached, up to the configuration's delivery timeout.
    ///
    /// Cancelling ends the waiting only: the record may still be written.
    /// - Throws: ``KafkaError``. `isRetriable` says whether sending it again makes sense.
    public func send(_ record: KafkaRecord) async throws(KafkaError) -> KafkaPosition {
        let results = await send([record])
        return try results[0].get()
    }

    /// Writes many records at once; the results stand in the records' order. A record can fail
    /// while a later one of the same key succeeds (after a timeout): a caller who needs the order
    /// sends everything of that key from the first failure on again.
    ///
    /// Cancelling ends the waiting only: what was not handed over yet is not sent, the rest may be.
    public func send(_ batch: [KafkaRecord]) async -> [Result<KafkaPosition, KafkaError>] {
        guard !batch.isEmpty else { return [] }
        let core = core
        let batch = SendBatch(batch)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                core.loop.execute { core.submit(batch, continuation) }
            }
        } onCancel: {
            core.loop.execute { batch.cancel() }
        }
    }

    /// Waits until everything sent so far is settled, either way.
    /// - Returns: Whether it was within the time.
    public func flush(timeout: Duration) async -> Bool {
        let core = core
        return await withCheckedContinuation { continuation in
            core.loop.execute { core.flush(timeout) { continuation.resume(returning: $0) } }
        }
    }

    /// Refuses new records, gives those under way the time, fails the rest with a retriable
    /// error and frees the client. Later calls return when the first has finished.
    public func close(timeout: Duration = .seconds(5)) async {
        let core = core
        await withCheckedContinuation { continuation in
            core.loop.execute { core.close(timeout) { continuation.resume() } }
        }
    }

    /// Tests: what librdkafka does when the broker answers with a sequence error.
    func injectFatalError() async {
        let core = core
        await withCheckedContinuation { continuation in
            core.loop.execute {
                core.injectFatalError()
                continuation.resume()
            }
        }
    }
}
