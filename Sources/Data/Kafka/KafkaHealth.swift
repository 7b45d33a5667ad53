import CRdkafka
import Environment
import Loop
import Telemetry

/// Whether a client reaches its brokers: one log line and one gauge per change, however often
/// librdkafka repeats itself. Loop only.
///
/// librdkafka tells when all brokers are gone and not when one is back; an idle client would then
/// look dead for ever, so while it is down a small metadata request asks once a second.
final class KafkaHealth: @unchecked Sendable {  // confined to the loop
    private let loop: EventLoop
    private let logger: Logger
    private let gauge: Gauge
    private var isUp: Bool?
    private var probe: LoopTimer?

    init(
        role: String, configuration: KafkaConfiguration, loop: EventLoop, logger: Logger,
        metrics: Metrics
    ) {
        self.loop = loop
        self.logger = logger
        gauge = metrics.gauge(
            "janji_kafka_up", help: "1 while the client reaches a Kafka broker",
            labels: [("client", configuration.clientID), ("role", role)])
    }

    /// Something was answered.
    func up() {
        guard isUp != true else { return }
        logger.info(isUp == nil ? "Kafka is reachable" : "Kafka is reachable again")
        isUp = true
        gauge.set(1)
        stop()
    }

    func down(_ reason: String, client: KafkaClient) {
        guard isUp != false else { return }
        isUp = false
        gauge.set(0)
        logger.warning("Kafka is not reachable, trying until it is", ["reason": .string(reason)])
        scheduleProbe(client)
    }

    func stop() {
        probe?.cancel()
        probe = nil
    }

    private func scheduleProbe(_ client: KafkaClient) {
        probe = loop.schedule(after: .seconds(1)) { [weak self, weak client] in
            guard let self, let client else { return }
            client.blocking({ raw in Self.answers(raw) }) { [weak self, weak client] answers in
                guard let self, self.isUp == false, let client else { return }
                if answers {
                    self.up()
                } else {
                    self.scheduleProbe(client)
                }
            }
        }
    }

    private static func answers(_ raw: OpaquePointer) -> Bool {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(raw, 0, nil, &metadata, 1000)
        if let metadata { rd_kafka_metadata_destroy(metadata) }
        return code == RD_KAFKA_RESP_ERR_NO_ERROR
    }
}
