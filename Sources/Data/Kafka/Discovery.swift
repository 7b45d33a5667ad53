import CRdkafka

/// Which partitions some topics have now.
struct Discovery: Sendable {
    private(set) var partitions: [KafkaPartition] = []
    /// Whether a broker answered.
    private(set) var isAnswered = true
    /// Whether every topic exists.
    private(set) var isComplete = true

    /// Whether this is librdkafka's mock cluster, which needs to be treated in its own way; `nil`
    /// when no broker answers. Blocks, at most a second.
    static func isMock(_ client: OpaquePointer) -> Bool? {
        guard let id = rd_kafka_clusterid(client, 1000) else { return nil }
        defer { rd_kafka_mem_free(client, id) }
        return String(cString: id).hasPrefix("mockCluster")
    }

    /// Blocks, at most about a second without an answer.
    static func partitions(of topics: [String], _ client: OpaquePointer) -> Discovery {
        var result = Discovery()
        for topic in topics {
            result.ask(topic, client)
            if !result.isAnswered { break }
        }
        return result
    }

    private mutating func ask(_ topic: String, _ client: OpaquePointer) {
        guard let handle = rd_kafka_topic_new(client, topic, nil) else {
            isComplete = false
            return
        }
        defer { rd_kafka_topic_destroy(handle) }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client, 0, handle, &metadata, 1000)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else {
            isAnswered = false
            isComplete = false
            return
        }
        defer { rd_kafka_metadata_destroy(metadata) }
        guard metadata.pointee.topic_cnt == 1,
            metadata.pointee.topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR,
            metadata.pointee.topics[0].partition_cnt > 0
        else {
            isComplete = false
            return
        }
        for index in 0..<metadata.pointee.topics[0].partition_cnt {
            partitions.append(KafkaPartition(topic: topic, index: index))
        }
    }
}
