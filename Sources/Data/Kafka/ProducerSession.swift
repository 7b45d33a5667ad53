import CRdkafka
import Environment
import Glibc
import KafkaMockPort
import Loop

/// One librdkafka producer with what it still owes us. Replaced as a whole after a fatal error.
/// Loop only.
final class ProducerSession {
    /// A record that librdkafka has and has not answered.
    private struct Slot {
        let batch: SendBatch
        let index: Int
        let bytes: Int
        let sent: Deadline
    }

    enum HandOver {
        case accepted
        case full
        case refused(KafkaError)
    }

    let client: KafkaClient
    private var topics: [String: OpaquePointer] = [:]
    // A record's opaque pointer is its slot's number plus one: no object travels through C.
    private var slots: [Slot?] = []
    private var free: [Int] = []
    private(set) var inFlight = 0
    private(set) var inFlightBytes = 0

    init(client: KafkaClient) { self.client = client }

    /// Why this client is unusable, once it is. What it had is then purged with other errors.
    var fatalError: KafkaError? {
        guard rd_kafka_fatal_error(client.raw, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR else {
            return nil
        }
        var reason = [CChar](repeating: 0, count: 512)
        let cause = rd_kafka_fatal_error(client.raw, &reason, reason.count)
        return KafkaError(cause, String(bytes: reason), fatal: true)
    }

    func handOver(_ batch: SendBatch, _ index: Int) -> HandOver {
        let record = batch.records[index]
        let topic: OpaquePointer
        switch handle(of: record.topic) {
        case .success(let found): topic = found
        case .failure(let error): return .refused(error)
        }
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(nil) }
        let code = produce(record, topic, opaque: UnsafeMutableRawPointer(bitPattern: slot + 1))
        guard code == 0 else {
            free.append(slot)
            if code == RD_KAFKA_RESP_ERR__QUEUE_FULL.rawValue, inFlight > 0 { return .full }
            return .refused(KafkaError(rd_kafka_resp_err_t(code)))
        }
        let bytes = record.byteCount
        slots[slot] = Slot(batch: batch, index: index, bytes: bytes, sent: .now())
        inFlight += 1
        inFlightBytes += bytes
        return .accepted
    }

    private func handle(of topic: String) -> Result<OpaquePointer, KafkaError> {
        if let known = topics[topic] { return .success(known) }
        guard let new = rd_kafka_topic_new(client.raw, topic, nil) else {
            return .failure(KafkaError(rd_kafka_last_error(), "topic \"\(topic)\""))
        }
        topics[topic] = new
        return .success(new)
    }

    private func produce(
        _ record: KafkaRecord, _ topic: OpaquePointer, opaque: UnsafeMutableRawPointer?
    ) -> Int32 {
        let headers = Self.headers(record.headers)
        return record.value.withUnsafeBytes { value in
            let key = record.key ?? []
            return key.withUnsafeBytes { key in
                // A null key and an empty key differ, and so do their values.
                var none: UInt8 = 0
                return withUnsafePointer(to: &none) { none in
                    let start: UnsafeRawPointer? =
                        record.key == nil ? nil : key.baseAddress ?? UnsafeRawPointer(none)
                    return janji_kafka_produce(
                        UnsafeMutableRawPointer(client.raw), UnsafeMutableRawPointer(topic),
                        start, key.count, value.baseAddress ?? UnsafeRawPointer(none),
                        value.count, headers.map { UnsafeMutableRawPointer($0) }, opaque)
                }
            }
        }
    }

    private static func headers(_ headers: [(String, [UInt8])]) -> OpaquePointer? {
        guard !headers.isEmpty else { return nil }
        let list = rd_kafka_headers_new(headers.count)
        for (name, value) in headers {
            value.withUnsafeBytes { value in
                _ = rd_kafka_header_add(
                    list, name, -1, value.baseAddress ?? UnsafeRawPointer(bitPattern: 1),
                    value.count)
            }
        }
        return list
    }

    /// Settles the record of a delivery report; returns how long it took.
    func settle(_ message: UnsafePointer<rd_kafka_message_t>) -> (Duration, KafkaError?)? {
        let slot = Int(bitPattern: message.pointee._private) - 1
        guard slots.indices.contains(slot), let entry = slots[slot] else { return nil }
        release(slot, entry)
        let took = entry.sent.duration(to: .now())
        let error = message.pointee.err
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR,
            rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED
        else {
            let failure =
                fatalError
                ?? (error == RD_KAFKA_RESP_ERR_NO_ERROR
                    ? KafkaError(RD_KAFKA_RESP_ERR__FAIL, "the record is only possibly persisted")
                    : KafkaError(error))
            entry.batch.settle(entry.index, .failure(failure))
            return (took, failure)
        }
        let position = KafkaPosition(
            topic: entry.batch.records[entry.index].topic, partition: message.pointee.partition,
            offset: message.pointee.offset)
        entry.batch.settle(entry.index, .success(position))
        return (took, nil)
    }

    private func release(_ slot: Int, _ entry: Slot) {
        slots[slot] = nil
        free.append(slot)
        inFlight -= 1
        inFlightBytes -= entry.bytes
    }

    /// Gives up what is under way and frees the client in the background.
    func end(_ error: KafkaError, _ done: (@Sendable () -> Void)? = nil) {
        for slot in slots.indices {
            guard let entry = slots[slot] else { continue }
            release(slot, entry)
            entry.batch.settle(entry.index, .failure(error))
        }
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        let flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT
        _ = rd_kafka_purge(client.raw, flags | RD_KAFKA_PURGE_F_NON_BLOCKING)
        client.close(done)
    }
}
