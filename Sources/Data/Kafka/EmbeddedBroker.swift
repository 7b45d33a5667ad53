import CRdkafka
import Glibc
import KafkaMockPort
import Synchronization

/// librdkafka's mock cluster as a broker of this process: the real protocol on a real loopback
/// port, for `janji up` and for tests. Other processes reach it like any broker.
///
/// It keeps everything in memory (5 MiB or 100,000 batches per partition, the oldest go first),
/// forgets it when it ends, and has no administration, transactions, compaction or security.
/// Topics come into being when a client names them, with four partitions.
///
/// Any thread. Calls wait for the broker's own thread, microseconds; `init` and ``close()`` start
/// and end threads, milliseconds.
public final class EmbeddedBroker: Sendable {
    /// `127.0.0.1:port`, as clients name it.
    public let address: String
    public let port: UInt16

    private let handles: Mutex<Handles?>

    private struct Handles: @unchecked Sendable {  // only used under the mutex
        let client: OpaquePointer
        let cluster: OpaquePointer
    }

    /// - Parameter port: Of 127.0.0.1; zero takes a free one.
    /// - Throws: ``KafkaError`` when the port is taken.
    public init(port: UInt16 = 0) throws(KafkaError) {
        let port = try Self.check(port)
        let conf = rd_kafka_conf_new()
        rd_kafka_conf_set_log_cb(conf, nil)
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count) else {
            rd_kafka_conf_destroy(conf)
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, String(bytes: text))
        }
        guard let cluster = janji_kafka_mock_create(UnsafeMutableRawPointer(client), port) else {
            rd_kafka_destroy(client)
            throw Self.taken(port)
        }
        self.port = port
        address = "127.0.0.1:\(port)"
        handles = Mutex(Handles(client: client, cluster: OpaquePointer(cluster)))
    }

    deinit { close() }

    /// Tries the port first: a mock cluster that cannot have it leaves no reason.
    private static func check(_ port: UInt16) throws(KafkaError) -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var on: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                // Listening, because two sockets may be bound with SO_REUSEADDR.
                bind(descriptor, raw, size) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, raw, &size) == 0
            }
        }
        guard bound else { throw taken(port) }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func taken(_ port: UInt16) -> KafkaError {
        KafkaError(
            ours: RD_KAFKA_RESP_ERR__CONFLICT,
            "port \(port) of 127.0.0.1 is taken; the embedded Kafka broker needs it",
            retriable: false, blame: .caller)
    }

    /// Creates a topic; one that exists stays as it is.
    public func createTopic(_ name: String, partitions: Int) throws(KafkaError) {
        let code = with { rd_kafka_mock_topic_create($0.cluster, name, Int32(partitions), 1) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS
        else { throw KafkaError(code, "topic \"\(name)\"") }
    }

    /// Tests: drops all connections and refuses new ones. What was written stays.
    public func down() {
        _ = with { rd_kafka_mock_broker_set_down($0.cluster, -1) }
    }

    /// Tests: the end of ``down()``.
    public func up() {
        _ = with { rd_kafka_mock_broker_set_up($0.cluster, -1) }
    }

    /// Tests: lets the next `count` produce requests fail with this error of the protocol.
    public func failProduce(code: Int32, count: Int) {
        _ = with { handles in
            janji_kafka_mock_fail_produce(
                UnsafeMutableRawPointer(handles.cluster), code, Int32(count))
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    private func with(_ body: (Handles) -> rd_kafka_resp_err_t) -> rd_kafka_resp_err_t {
        handles.withLock { $0.map(body) ?? RD_KAFKA_RESP_ERR__DESTROY }
    }

    /// Ends the broker; its port is free afterwards.
    public func close() {
        let handles = handles.withLock { handles in
            defer { handles = nil }
            return handles
        }
        guard let handles else { return }
        rd_kafka_mock_cluster_destroy(handles.cluster)
        rd_kafka_destroy(handles.client)
    }
}
