import CRdkafka
import Environment

extension ConsumedRecord {
    /// Copies everything out of librdkafka's memory.
    init(copying message: UnsafePointer<rd_kafka_message_t>) {
        let topic = String(cString: rd_kafka_topic_name(message.pointee.rkt))
        let value = [UInt8](
            UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len))
        let key = message.pointee.key.map {
            [UInt8](UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len))
        }
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let milliseconds = rd_kafka_message_timestamp(message, &kind)
        self.init(
            record: KafkaRecord(
                topic: topic, key: key, value: value, headers: Self.headers(message)),
            position: KafkaPosition(
                topic: topic, partition: message.pointee.partition,
                offset: message.pointee.offset),
            timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
                ? nil : Instant(microseconds: milliseconds * 1000))
    }

    private static func headers(
        _ message: UnsafePointer<rd_kafka_message_t>
    ) -> [(String, [UInt8])] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return []
        }
        var headers: [(String, [UInt8])] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &count)
            == RD_KAFKA_RESP_ERR_NO_ERROR, let name
        {
            let bytes = [UInt8](
                UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : count))
            headers.append((String(cString: name), bytes))
        }
        return headers
    }
}
