import CRdkafka
import Environment
import Loop
import Telemetry

/// The producer's state on its loop: who waits for room, who waits for deliveries, and the
/// session that can be replaced under them.
final class ProducerCore: @unchecked Sendable {  // confined to `loop`
    let loop: EventLoop
    private let configuration: KafkaConfiguration
    private let logger: Logger
    private let health: KafkaHealth
    private let delivered: Counter
    private let failed: Counter
    private let replaced: Counter
    private let latency: Histogram
    private var session: ProducerSession
    private var waiting: [SendBatch] = []
    private var firstWaiting = 0
    private var settledWaiters: [() -> Void] = []
    private var phase = Phase.open
    private var isScheduled = false

    private enum Phase { case open, closing([() -> Void]), closed }

    /// Events taken in one go before other work of the loop gets its turn.
    private static let eventsPerTurn = 256

    init(
        configuration: KafkaConfiguration, loop: EventLoop, logger: Logger, metrics: Metrics
    ) throws(KafkaError) {
        self.loop = loop
        self.configuration = configuration
        self.logger = logger.with(["client": .string(configuration.clientID)])
        health = KafkaHealth(
            role: "producer", configuration: configuration, loop: loop, logger: self.logger,
            metrics: metrics)
        let labels = [("client", configuration.clientID)]
        delivered = metrics.counter(
            "janji_kafka_records_delivered_total", help: "Records written to Kafka",
            labels: labels)
        failed = metrics.counter(
            "janji_kafka_records_failed_total", help: "Records whose delivery failed",
            labels: labels)
        replaced = metrics.counter(
            "janji_kafka_producer_replaced_total", help: "Producers replaced after a fatal error",
            labels: labels)
        latency = metrics.histogram(
            "janji_kafka_delivery_seconds", help: "From hand-over to delivery report",
            labels: labels)
        session = ProducerSession(
            client: try KafkaClient(
                RD_KAFKA_PRODUCER, configuration.producerSettings(), loop: loop,
                logger: self.logger))
    }

    func start() { session.client.watch { [weak self] in self?.drain() } }

    // MARK: Sending

    func submit(
        _ batch: SendBatch, _ continuation: CheckedContinuation<[SendBatch.Outcome], Never>
    ) {
        loop.preconditionInLoop()
        batch.wait(continuation)
        guard case .open = phase else {
            batch.failRest(.closed("producer"))
            return
        }
        waiting.append(batch)
        pump()
    }

    /// Hands records over while there is room.
    private func pump() {
        while firstWaiting < waiting.count {
            let batch = waiting[firstWaiting]
            while !batch.isHandedOver {
                guard hasRoom else { return }
                let index = batch.takeNext()
                switch session.handOver(batch, index) {
                case .accepted: break
                case .full:
                    batch.putBack()
                    return
                case .refused(let error):
                    if let fatal = session.fatalError {
                        batch.putBack()
                        replace(fatal)
                        continue
                    }
                    failed.add(1)
                    batch.settle(index, .failure(error))
                }
            }
            firstWaiting += 1
            if firstWaiting > 64, firstWaiting * 2 > waiting.count {
                waiting.removeFirst(firstWaiting)
                firstWaiting = 0
            }
        }
        waiting.removeAll(keepingCapacity: true)
        firstWaiting = 0
    }

    private var hasRoom: Bool {
        session.inFlight < configuration.maximumInFlight
            && session.inFlightBytes < configuration.maximumInFlightBytes
    }

    // MARK: Events

    private func drain() {
        guard !isClosed else { return }
        var count = 0
        while count < Self.eventsPerTurn, let event = session.client.nextEvent() {
            count += 1
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR: settle(event)
            case RD_KAFKA_EVENT_ERROR: noticed(event)
            default: break
            }
            rd_kafka_event_destroy(event)
        }
        if let fatal = session.fatalError { replace(fatal) }
        pump()
        tellIfSettled()
        if count == Self.eventsPerTurn { drainLater() }
    }

    private func drainLater() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.execute { [self] in
            isScheduled = false
            drain()
        }
    }

    private func settle(_ event: OpaquePointer) {
        while let message = rd_kafka_event_message_next(event) {
            guard let (took, error) = session.settle(message) else { continue }
            if let error {
                failed.add(1)
                logger.debug("a record was not delivered", ["error": .string(error.description)])
            } else {
                health.up()
                delivered.add(1)
                latency.observe(took)
            }
        }
    }

    private func noticed(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
        switch code {
        case RD_KAFKA_RESP_ERR__FATAL: break  // seen by its effect
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: health.down(text, client: session.client)
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT:
            logger.debug("librdkafka", ["error": .string(text)])
        default:
            logger.warning(
                "Kafka error", ["code": .int(Int64(code.rawValue)), "error": .string(text)])
        }
    }

    private func replace(_ error: KafkaError) {
        logger.error(
            "the Kafka producer failed for good and is replaced; what was under way is sent again",
            ["error": .string(error.description), "records": .int(Int64(session.inFlight))])
        replaced.add(1)
        failed.add(session.inFlight)
        let old = session
        do {
            session = ProducerSession(
                client: try KafkaClient(
                    RD_KAFKA_PRODUCER, configuration.producerSettings(), loop: loop,
                    logger: logger))
        } catch {
            preconditionFailure("settings that were good are refused: \(error)")
        }
        start()
        old.end(error)
    }

    func injectFatalError() {
        rd_kafka_test_fatal_error(
            session.client.raw, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "planted")
    }

    // MARK: The end

    private var isSettled: Bool { session.inFlight == 0 && firstWaiting == waiting.count }

    private var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    private func tellIfSettled() {
        guard isSettled, !settledWaiters.isEmpty else { return }
        let waiters = settledWaiters
        settledWaiters = []
        for waiter in waiters { waiter() }
    }

    func flush(_ timeout: Duration, _ done: @escaping (Bool) -> Void) {
        loop.preconditionInLoop()
        if isSettled { return done(true) }
        let once = Once(done)
        let timer = loop.schedule(after: timeout) { once.call(false) }
        settledWaiters.append {
            timer.cancel()
            once.call(true)
        }
    }

    func close(_ timeout: Duration, _ done: @escaping () -> Void) {
        loop.preconditionInLoop()
        switch phase {
        case .closed: done()
        case .closing(let others): phase = .closing(others + [done])
        case .open:
            phase = .closing([done])
            flush(timeout) { [self] _ in finish() }
        }
    }

    private func finish() {
        for batch in waiting[firstWaiting...] { batch.failRest(.closed("producer")) }
        waiting = []
        firstWaiting = 0
        health.stop()
        session.end(.closed("producer")) { [self] in
            guard case .closing(let waiters) = phase else { return }
            phase = .closed
            for waiter in waiters { waiter() }
        }
    }
}

/// Calls its body the first time only.
private final class Once {
    private var body: ((Bool) -> Void)?
    init(_ body: @escaping (Bool) -> Void) { self.body = body }
    func call(_ value: Bool) {
        let body = body
        self.body = nil
        body?(value)
    }
}
