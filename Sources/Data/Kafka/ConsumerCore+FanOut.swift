import CRdkafka
import Environment
import Loop
import Telemetry

extension ConsumerCore {
    func discover() {
        guard case .running = phase else { return }
        client.blocking({ [topics] raw in Discovery.partitions(of: topics, raw) }) {
            [weak self] found in
            guard let self, case .running = self.phase else { return }
            self.discovered(found)
        }
    }

    private func discovered(_ found: Discovery) {
        if found.isAnswered {
            health.up()
            add(found.partitions)
        }
        let wait: Duration =
            found.isComplete
            ? configuration.discoveryInterval
            : min(.milliseconds(250), configuration.discoveryInterval)
        timer = loop.schedule(after: wait) { [weak self] in self?.discover() }
    }

    private func add(_ partitions: [KafkaPartition]) {
        guard case .fanOut(let start, _) = mode else { return }
        let isFirst = !assignment.isKnown
        let new = assignment.add(partitions) { Self.offset(of: $0, start, isFirst: isFirst) }
        if isFirst, case .latest = start {
            readiness.await(new.map(\.0))
        }
        if !new.isEmpty {
            let list = PartitionList(new)
            if let error = rd_kafka_incremental_assign(client.raw, list.raw) {
                return fail(KafkaError(consuming: error))
            }
            logger.debug("reading", ["partitions": .int(Int64(new.count))])
        }
        readiness.assigned()
    }

    private static func offset(
        of partition: KafkaPartition, _ start: KafkaConsumer.Start, isFirst: Bool
    ) -> Int64 {
        switch start {
        case .latest: isFirst ? Int64(RD_KAFKA_OFFSET_END) : Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .earliest: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .offsets(let offsets): offsets[partition] ?? Int64(RD_KAFKA_OFFSET_BEGINNING)
        }
    }
}
