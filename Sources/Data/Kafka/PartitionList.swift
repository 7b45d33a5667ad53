import CRdkafka

/// Owns one `rd_kafka_topic_partition_list_t`.
struct PartitionList: ~Copyable {
    let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ entries: [(KafkaPartition, Int64)]) {
        guard let raw = rd_kafka_topic_partition_list_new(Int32(entries.count)) else {
            preconditionFailure("no memory")
        }
        self.raw = raw
        for (partition, offset) in entries {
            let entry = rd_kafka_topic_partition_list_add(raw, partition.topic, partition.index)
            entry?.pointee.offset = offset
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(raw) }

    /// What is in a list that somebody else owns.
    static func partitions(
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [KafkaPartition] {
        guard let list else { return [] }
        return (0..<Int(list.pointee.cnt)).map { index in
            let entry = list.pointee.elems[index]
            return KafkaPartition(topic: String(cString: entry.topic), index: entry.partition)
        }
    }

    /// The committed offset of each partition, negative where there is none; `nil` when the
    /// coordinator did not answer. Blocks, at most two seconds.
    static func committed(
        _ partitions: [KafkaPartition], _ client: OpaquePointer
    ) -> [KafkaPartition: Int64]? {
        let list = PartitionList(partitions.map { ($0, 0) })
        guard rd_kafka_committed(client, list.raw, 2000) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return nil
        }
        var found: [KafkaPartition: Int64] = [:]
        for (index, partition) in partitions.enumerated() {
            let entry = list.raw.pointee.elems[index]
            guard entry.err == RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
            found[partition] = entry.offset
        }
        return found
    }

    /// Reads and frees one entry.
    static func position(
        consuming entry: UnsafeMutablePointer<rd_kafka_topic_partition_t>?
    ) -> KafkaPosition? {
        guard let entry else { return nil }
        defer { rd_kafka_topic_partition_destroy(entry) }
        return KafkaPosition(
            topic: String(cString: entry.pointee.topic), partition: entry.pointee.partition,
            offset: entry.pointee.offset)
    }
}
