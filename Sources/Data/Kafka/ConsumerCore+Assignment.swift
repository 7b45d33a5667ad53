import CRdkafka
import Environment
import Loop
import Telemetry

extension ConsumerCore {
    func rebalance(_ event: OpaquePointer) {
        generation += 1
        assignment = Assignment()
        mustAssign = false
        guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, !isLeaving
        else {
            buffer.removeAll()
            rd_kafka_assign(client.raw, nil)
            return
        }
        mustAssign = true
        assignCommitted(
            PartitionList.partitions(rd_kafka_event_topic_partition_list(event)), generation)
    }

    /// Looks the committed offsets up first, so that a partition without one begins by our policy
    /// instead of failing: many quick assignments after one another stop librdkafka 2.0.2 with an
    /// assertion.
    private func assignCommitted(_ partitions: [KafkaPartition], _ generation: Int) {
        client.blocking({ raw in PartitionList.committed(partitions, raw) }) { [weak self] found in
            guard let self, self.generation == generation, case .running = self.phase else {
                return
            }
            if let found { return self.assign(found) }
            self.timer?.cancel()
            self.timer = self.loop.schedule(after: .milliseconds(100)) { [weak self] in
                guard let self, self.generation == generation else { return }
                self.assignCommitted(partitions, generation)
            }
        }
    }

    private func assign(_ committed: [KafkaPartition: Int64]) {
        mustAssign = false
        var missing: [KafkaPartition] = []
        let positions = assignment.add(Array(committed.keys)) { partition in
            if let offset = committed[partition], offset >= 0 { return offset }
            missing.append(partition)
            return policy.offset
        }
        if !missing.isEmpty, policy == .fail {
            fail(.noOffset("\(missing[0]): the group has no committed offset"))
            rd_kafka_assign(client.raw, nil)
            return
        }
        let list = PartitionList(positions)
        let code = rd_kafka_assign(client.raw, list.raw)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { return fail(KafkaError(code)) }
        health.up()
        logger.info("partitions assigned", ["count": .int(Int64(positions.count))])
        readiness.assigned()
        keepPolling()
    }

    /// librdkafka expels a member that does not look for records for five minutes, and an event
    /// tells us only when there are some.
    func keepPolling() {
        timer?.cancel()
        timer = loop.schedule(every: .seconds(60)) { [weak self] in self?.drain() }
    }

    /// The wanted offset is not there: a new group, a log cut by its retention, or a broker that
    /// lost it. Moves by the policy and says so.
    func reset(_ partition: KafkaPartition, _ reason: String) {
        guard case .running = phase, assignment.contains(partition) else { return }
        guard policy != .fail else { return fail(.noOffset("\(partition): \(reason)")) }
        resets.add(1)
        logger.warning(
            "the wanted offset is not there, going on by policy",
            [
                "partition": .string(partition.description), "policy": .string(policy.rawValue),
                "reason": .string(reason),
            ])
        assignment.move(partition, to: policy.offset)
        reassign(partition)
    }

    private var policy: KafkaReset {
        switch mode {
        case .fanOut(_, let onLoss): onLoss
        case .group(_, let start): start
        }
    }

    /// Takes the partition away and gives it back at its new offset a moment later: librdkafka
    /// 2.0.2 must have stopped it before it is stopped again, or it ends the process.
    private func reassign(_ partition: KafkaPartition) {
        var error: KafkaError?
        if case .fanOut = mode {
            let list = PartitionList([(partition, 0)])
            error = rd_kafka_incremental_unassign(client.raw, list.raw).map {
                KafkaError(consuming: $0)
            }
        } else if moved.isEmpty {
            // The eager group protocol only knows whole assignments; the other partitions go on
            // behind what was taken from them.
            let code = rd_kafka_assign(client.raw, nil)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR { error = KafkaError(code) }
        }
        if let error { return fail(error) }
        moved.append(partition)
        guard moved.count == 1 else { return }
        let generation = generation
        _ = loop.schedule(after: Self.restartDelay) { [weak self] in
            guard let self else { return }
            let moved = self.moved
            self.moved = []
            guard self.generation == generation, case .running = self.phase else { return }
            self.giveBack(moved)
        }
    }

    private func giveBack(_ partitions: [KafkaPartition]) {
        if case .fanOut = mode {
            let list = PartitionList(assignment.positions.filter { partitions.contains($0.0) })
            if let error = rd_kafka_incremental_assign(client.raw, list.raw) {
                fail(KafkaError(consuming: error))
            }
            return
        }
        let list = PartitionList(assignment.positions)
        let code = rd_kafka_assign(client.raw, list.raw)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { fail(KafkaError(code)) }
    }
}
