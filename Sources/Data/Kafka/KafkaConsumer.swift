public import Loop
public import Telemetry

/// Reads records, either all of them in every process (``Mode/fanOut(from:onLoss:)``) or shared
/// among the members of a group, each one at least once (``Mode/group(id:start:)``).
///
/// Back-pressure is the reader's pace: only a few records are held ready, the rest stays with the
/// broker. While no broker can be reached the consumer goes on trying, and logs once.
///
/// Any thread, one reader. Call ``close()`` at the end; an unclosed consumer lives for ever.
public final class KafkaConsumer: Sendable {
    public enum Mode: Sendable {
        /// Every partition of the topics, without a group and without committed offsets: what
        /// every process must see for itself. Topics and partitions that appear later are read
        /// from their beginning.
        /// - `onLoss`: where to go on when the wanted offset is not there (any more).
        case fanOut(from: Start, onLoss: KafkaReset = .earliest)
        /// A member of the group `id`: partitions are shared, and reading goes on after the
        /// offsets stored with ``KafkaConsumer/store(_:)``.
        /// - `start`: where to begin without a committed offset, or when it is gone.
        case group(id: String, start: KafkaReset)
    }

    public enum Start: Sendable {
        /// What is written after ``KafkaConsumer/ready``.
        case latest
        case earliest
        /// The next offset to read, by partition; partitions not named are read from the
        /// beginning.
        case offsets([KafkaPartition: Int64])
    }

    private let core: ConsumerCore

    /// Does not wait for a broker, and the topics need not exist yet.
    /// - Throws: ``KafkaError`` when librdkafka refuses a setting.
    public init(
        topics: [String], mode: Mode, configuration: KafkaConfiguration, loop: EventLoop,
        logger: Logger, metrics: Metrics
    ) throws(KafkaError) {
        core = try ConsumerCore(
            topics: topics, mode: mode, configuration: configuration, loop: loop,
            logger: logger.labelled("kafka.consumer"), metrics: metrics)
        let core = core
        loop.execute { core.start() }
    }

    /// Returns when reading has begun: from then on a fan-out consumer misses nothing that is
    /// written, and a group member has its first assignment. Waits while no broker is there.
    /// - Throws: ``KafkaError`` when the consumer is closed or failed first.
    public var ready: Void {
        get async throws {
            let core = core
            try await withCheckedThrowingContinuation { continuation in
                core.loop.execute { core.whenReady { continuation.resume(with: $0) } }
            }
        }
    }

    /// What is read, in order within each partition. One reader at a time.
    public var records: KafkaRecords { KafkaRecords(core: core) }

    /// Says that this record is dealt with: after a restart or a rebalance the group goes on
    /// behind it. Committed every `commitInterval` and on close. In order within a partition.
    /// Without effect in fan-out mode, and for a partition that has moved to another member.
    public func store(_ position: KafkaPosition) {
        let core = core
        core.loop.execute { core.store(position) }
    }

    /// Commits what was stored, leaves the group, ends ``records`` and frees the client.
    /// Takes as long as the broker needs, 5 s at most.
    public func close() async {
        let core = core
        await withCheckedContinuation { continuation in
            core.loop.execute { core.close { continuation.resume() } }
        }
    }

    /// Tests: how many records were taken from librdkafka so far.
    var fetched: UInt64 { core.fetched.value }
}

/// The records of a consumer. Iterating again goes on where the last reader stopped.
/// Ends with `nil` when the consumer is closed or the reader is cancelled; throws ``KafkaError``.
public struct KafkaRecords: AsyncSequence, Sendable {
    let core: ConsumerCore

    public func makeAsyncIterator() -> Iterator { Iterator(core: core) }

    public struct Iterator: AsyncIteratorProtocol {
        let core: ConsumerCore

        public mutating func next() async throws -> ConsumedRecord? {
            let core = core
            return try await core.buffer.next { core.loop.execute { core.drain() } }
        }
    }
}
