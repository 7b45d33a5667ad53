import CRdkafka
public import Loop
public import Telemetry

extension KafkaTopics {
    /// Which offsets each partition of the topics holds now: from the oldest kept up to, not with,
    /// the next one to be written. A topic that does not exist has none.
    /// - Throws: ``KafkaError`` when no broker answers.
    public static func bounds(
        of topics: [String], configuration: KafkaConfiguration, loop: EventLoop, logger: Logger
    ) async throws(KafkaError) -> [KafkaPartition: Range<Int64>] {
        let client = try KafkaClient(
            RD_KAFKA_PRODUCER, configuration.producerSettings(), loop: loop,
            logger: logger.labelled("kafka.topics"))
        let answer: Result<[KafkaPartition: Range<Int64>], KafkaError> =
            await withCheckedContinuation { continuation in
                loop.execute {
                    client.blocking({ ask(topics, $0) }) { answer in
                        client.close()
                        continuation.resume(returning: answer)
                    }
                }
            }
        return try answer.get()
    }

    /// Blocks, at most about three seconds for each partition.
    private static func ask(
        _ topics: [String], _ client: OpaquePointer
    ) -> Result<[KafkaPartition: Range<Int64>], KafkaError> {
        guard Discovery.isMock(client) != nil else {
            return .failure(KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
        }
        var bounds: [KafkaPartition: Range<Int64>] = [:]
        for partition in Discovery.partitions(of: topics, client).partitions {
            var low: Int64 = 0
            var high: Int64 = 0
            let code = rd_kafka_query_watermark_offsets(
                client, partition.topic, partition.index, &low, &high, 3000)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return .failure(KafkaError(code)) }
            bounds[partition] = low..<max(low, high)
        }
        return .success(bounds)
    }
}
