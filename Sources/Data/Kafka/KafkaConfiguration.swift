import Environment

/// How to reach a cluster, and the few limits of a client.
///
/// Security settings (`security.protocol`, `sasl.*`, `ssl.*`) and anything else of librdkafka's
/// CONFIGURATION.md go in ``settings``, which win over ours.
public struct KafkaConfiguration: Sendable {
    /// `host:port`, separated by commas (KAFKA_BROKERS).
    public var brokers: String
    /// The name in the brokers' logs and in our metrics.
    public var clientID: String
    public var settings: [String: String]

    /// How long a record may wait for its delivery, broker outages included, before its `send`
    /// fails. `nil` waits for ever: a timeout can let a later record of the same key overtake.
    public var deliveryTimeout: Duration? = .seconds(300)
    /// Records handed to librdkafka and not yet answered; `send` suspends beyond.
    public var maximumInFlight = 10_000
    /// Payload bytes handed to librdkafka and not yet answered.
    public var maximumInFlightBytes = 16 << 20

    /// Records that a consumer holds ready for its reader.
    public var prefetchRecords = 512
    /// Bytes that a consumer holds ready for its reader; librdkafka keeps up to as much again.
    public var prefetchBytes = 4 << 20
    /// How often stored offsets are committed.
    public var commitInterval: Duration = .seconds(1)
    /// How soon a dead member's partitions move on. More than 3 s (the mock's join takes 3 s).
    public var sessionTimeout: Duration = .seconds(6)
    /// How often a fan-out consumer looks for new topics and partitions.
    public var discoveryInterval: Duration = .seconds(3)

    public init(brokers: String, clientID: String = "janji", settings: [String: String] = [:]) {
        self.brokers = brokers
        self.clientID = clientID
        self.settings = settings
    }

    private var common: [(String, String)] {
        [
            ("bootstrap.servers", brokers), ("client.id", clientID),
            ("socket.nagle.disable", "true"), ("socket.keepalive.enable", "true"),
            ("reconnect.backoff.ms", "50"), ("reconnect.backoff.max.ms", "1000"),
            ("retry.backoff.ms", "50"), ("topic.metadata.refresh.interval.ms", "30000"),
            ("topic.metadata.refresh.fast.interval.ms", "100"), ("log.connection.close", "false"),
        ]
    }

    func producerSettings() -> [(String, String)] {
        let timeout = deliveryTimeout.map { max(1, $0.milliseconds) } ?? 0
        return common + [
            ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "0.5"),
            ("message.timeout.ms", String(timeout)), ("request.timeout.ms", "10000"),
            // The partition that Java's clients and tools would choose.
            ("partitioner", "murmur2_random"),
            // Back-pressure is ours; librdkafka's own limits only must not come first.
            ("queue.buffering.max.messages", String(max(1, maximumInFlight + 1))),
            ("queue.buffering.max.kbytes", String(max(1, maximumInFlightBytes >> 9))),
        ] + overrides
    }

    /// - Parameter group: Also needed without membership, where it is only a name.
    func consumerSettings(group: String, fetchWait: Duration) -> [(String, String)] {
        common + [
            ("group.id", group), ("enable.auto.commit", "true"),
            ("enable.auto.offset.store", "false"),
            ("auto.commit.interval.ms", String(max(1, commitInterval.milliseconds))),
            ("session.timeout.ms", String(sessionTimeout.milliseconds)),
            ("heartbeat.interval.ms", String(min(1000, sessionTimeout.milliseconds / 3))),
            // Never jump silently: the consumer moves by its named policy, and says so.
            ("auto.offset.reset", "error"), ("enable.partition.eof", "true"),
            ("check.crcs", "true"), ("isolation.level", "read_committed"),
            ("fetch.wait.max.ms", String(fetchWait.milliseconds)),
            ("fetch.error.backoff.ms", "50"), ("coordinator.query.interval.ms", "1000"),
            ("queued.max.messages.kbytes", String(max(1, prefetchBytes >> 10))),
        ] + overrides
    }

    private var overrides: [(String, String)] {
        settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
