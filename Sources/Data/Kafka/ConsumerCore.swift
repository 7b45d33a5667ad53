import CRdkafka
import Environment
import Loop
import Telemetry

/// The consumer's state on its loop.
final class ConsumerCore: @unchecked Sendable {  // confined to `loop`
    let loop: EventLoop
    let buffer: RecordBuffer
    let fetched: Counter
    let topics: [String]
    let mode: KafkaConsumer.Mode
    let configuration: KafkaConfiguration
    let logger: Logger
    let health: KafkaHealth
    let resets: Counter
    var client: KafkaClient
    var assignment = Assignment()
    var readiness = Readiness()
    var timer: LoopTimer?
    var phase = Phase.identifying
    private var isScheduled = false
    /// Counts rebalances, so that what was begun before one does not end after it.
    var generation = 0
    /// Whether librdkafka waits for us to take an assignment up.
    var mustAssign = false
    var moved: [KafkaPartition] = []

    enum Phase { case identifying, running, leaving([() -> Void]), closed }

    private static let eventsPerTurn = 256
    /// A broker answers a fetch as soon as there is a record, so waiting long is cheap.
    private static let fetchWait = Duration.milliseconds(500)
    /// librdkafka's mock cluster answers an empty fetch only when its time is over, however soon
    /// a record arrives.
    private static let mockFetchWait = Duration.milliseconds(4)
    static let restartDelay = Duration.milliseconds(200)
    private static let leaveTimeout = Duration.seconds(5)

    init(
        topics: [String], mode: KafkaConsumer.Mode, configuration: KafkaConfiguration,
        loop: EventLoop, logger: Logger, metrics: Metrics
    ) throws(KafkaError) {
        self.topics = topics
        self.mode = mode
        self.configuration = configuration
        self.loop = loop
        self.logger = logger.with(["client": .string(configuration.clientID)])
        let labels = [("client", configuration.clientID)]
        health = KafkaHealth(
            role: "consumer", configuration: configuration, loop: loop, logger: self.logger,
            metrics: metrics)
        fetched = metrics.counter(
            "janji_kafka_records_fetched_total", help: "Records read from Kafka", labels: labels)
        resets = metrics.counter(
            "janji_kafka_offset_resets_total",
            help: "Partitions whose wanted offset was not there", labels: labels)
        buffer = RecordBuffer(
            maximumRecords: configuration.prefetchRecords,
            maximumBytes: configuration.prefetchBytes)
        client = try Self.client(mode, configuration, Self.fetchWait, loop, self.logger)
    }

    private static func client(
        _ mode: KafkaConsumer.Mode, _ configuration: KafkaConfiguration, _ fetchWait: Duration,
        _ loop: EventLoop, _ logger: Logger
    ) throws(KafkaError) -> KafkaClient {
        // Assigning by hand needs a group's name too; nobody ever joins or commits under it.
        var group = configuration.clientID + "-fan-out"
        if case .group(let id, _) = mode { group = id }
        return try KafkaClient(
            RD_KAFKA_CONSUMER,
            configuration.consumerSettings(group: group, fetchWait: fetchWait), loop: loop,
            logger: logger)
    }

    // MARK: Beginning

    /// First of all: is it a broker or the mock? It decides how long a fetch may wait.
    func start() {
        client.watch { [weak self] in self?.drain() }
        if configuration.settings["fetch.wait.max.ms"] != nil {
            begin()
        } else {
            identify()
        }
    }

    private func identify() {
        client.blocking({ raw in Discovery.isMock(raw) }) { [weak self] isMock in
            guard let self, case .identifying = self.phase else { return }
            switch isMock {
            case .none:
                self.timer = self.loop.schedule(after: .milliseconds(100)) { [weak self] in
                    self?.identify()
                }
            case .some(true):
                self.useMockSettings()
                self.begin()
            case .some(false): self.begin()
            }
        }
    }

    private func useMockSettings() {
        let old = client
        do {
            client = try Self.client(mode, configuration, Self.mockFetchWait, loop, logger)
        } catch {
            preconditionFailure("settings that were good are refused: \(error)")
        }
        old.close()
        client.watch { [weak self] in self?.drain() }
    }

    private func begin() {
        guard case .identifying = phase else { return }
        phase = .running
        if case .fanOut = mode {
            discover()
            return
        }
        let list = PartitionList(topics.map { (KafkaPartition(topic: $0, index: -1), 0) })
        let code = rd_kafka_subscribe(client.raw, list.raw)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { return fail(KafkaError(code)) }
        keepPolling()
    }

    // MARK: Events

    func drain() {
        loop.preconditionInLoop()
        var count = 0
        while count < Self.eventsPerTurn, isLeaving || buffer.hasRoom(),
            let event = client.nextEvent()
        {
            count += 1
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_FETCH: received(event)
            case RD_KAFKA_EVENT_REBALANCE: rebalance(event)
            case RD_KAFKA_EVENT_OFFSET_COMMIT: committed(event)
            case RD_KAFKA_EVENT_ERROR: noticed(event)
            default: break
            }
            rd_kafka_event_destroy(event)
        }
        if isLeaving, client.hasLeft { return free() }
        guard count == Self.eventsPerTurn, !isScheduled else { return }
        isScheduled = true
        loop.execute { [self] in
            isScheduled = false
            drain()
        }
    }

    private func received(_ event: OpaquePointer) {
        while let message = rd_kafka_event_message_next(event) {
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            guard case .running = phase else { continue }
            let record = ConsumedRecord(copying: message)
            let position = record.position
            let partition = KafkaPartition(topic: position.topic, index: position.partition)
            assignment.advance(partition, to: position.offset + 1)
            readiness.reached(partition)
            fetched.add(1)
            health.up()
            buffer.push(record)
        }
    }

    private func committed(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET else {
            return
        }
        logger.warning(
            "offsets were not committed and stay stored",
            ["error": .string(KafkaError(code).description)])
    }

    private func noticed(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
        let place = PartitionList.position(consuming: rd_kafka_event_topic_partition(event))
        switch code {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            guard let place else { return }
            let partition = KafkaPartition(topic: place.topic, index: place.partition)
            assignment.advance(partition, to: place.offset)
            readiness.reached(partition)
            health.up()
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            guard let place else { return }
            reset(KafkaPartition(topic: place.topic, index: place.partition), text)
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: health.down(text, client: client)
        case RD_KAFKA_RESP_ERR__FATAL:
            var reason = [CChar](repeating: 0, count: 512)
            let cause = rd_kafka_fatal_error(client.raw, &reason, reason.count)
            fail(KafkaError(cause, String(bytes: reason), fatal: true))
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            logger.debug("librdkafka", ["error": .string(text)])
        default:
            logger.warning(
                "Kafka error", ["code": .int(Int64(code.rawValue)), "error": .string(text)])
        }
    }

    func store(_ position: KafkaPosition) {
        guard case .running = phase, case .group = mode else { return }
        let partition = KafkaPartition(topic: position.topic, index: position.partition)
        guard assignment.contains(partition) else { return }
        let list = PartitionList([(partition, position.offset + 1)])
        // Refused when the partition has just moved on: its new owner reads the record again.
        _ = rd_kafka_offsets_store(client.raw, list.raw)
    }

    func whenReady(_ body: @escaping (Result<Void, any Error>) -> Void) {
        readiness.whenReady(body)
    }

    // MARK: The end

    var isLeaving: Bool {
        if case .leaving = phase { return true }
        return false
    }

    /// Ends the reader with the error; ``close(_:)`` is still to come.
    func fail(_ error: KafkaError) {
        logger.error("the Kafka consumer failed", ["error": .string(error.description)])
        readiness.fail(error)
        buffer.finish(error)
    }

    func close(_ done: @escaping () -> Void) {
        loop.preconditionInLoop()
        switch phase {
        case .closed: return done()
        case .leaving(let others):
            phase = .leaving(others + [done])
            return
        case .identifying, .running: break
        }
        phase = .leaving([done])
        timer?.cancel()
        health.stop()
        readiness.fail(.closed("consumer"))
        buffer.finish()
        if mustAssign { rd_kafka_assign(client.raw, nil) }
        client.leave()
        timer = loop.schedule(after: Self.leaveTimeout) { [weak self] in self?.free() }
        drain()
    }

    private func free() {
        guard case .leaving(let waiters) = phase else { return }
        phase = .closed
        timer?.cancel()
        timer = nil
        // The waiters are loop-confined closures and run there.
        let closures = Waiters(waiters)
        client.close { closures.run() }
    }

    private final class Waiters: @unchecked Sendable {  // made and run on the loop
        private let closures: [() -> Void]
        init(_ closures: [() -> Void]) { self.closures = closures }
        func run() { for closure in closures { closure() } }
    }
}
