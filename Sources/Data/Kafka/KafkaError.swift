import CRdkafka

/// What went wrong between us and Kafka.
///
/// Codes and names are librdkafka's: those above zero come from a broker's answer, those below
/// from the client itself.
public struct KafkaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Who must change something for the same call to succeed.
    public enum Blame: String, Sendable, Hashable {
        case caller, broker, network, client
    }

    public let code: Int32
    /// For example `_MSG_TIMED_OUT` or `UNKNOWN_TOPIC_OR_PART`.
    public let name: String
    public let message: String
    public let blame: Blame
    /// Whether sending or reading the same again may succeed. A record that failed this way may
    /// still have been written: sending it again can duplicate it, and must not lose it.
    public let isRetriable: Bool
    /// Whether the client that reported it is unusable. ``KafkaProducer`` replaces itself.
    public let isFatal: Bool
    public let cause: String?

    public var description: String {
        "Kafka \(name): \(message)" + (cause.map { " (\($0))" } ?? "")
    }
}

extension KafkaError {
    init(_ code: rd_kafka_resp_err_t, _ message: String? = nil, fatal: Bool = false) {
        let permanent = Self.permanent.contains(code.rawValue)
        self.init(
            code: code.rawValue, name: String(cString: rd_kafka_err2name(code)),
            message: message ?? String(cString: rd_kafka_err2str(code)),
            blame: Self.blame(code, permanent: permanent), isRetriable: fatal || !permanent,
            isFatal: fatal, cause: nil)
    }

    /// The error of this name for what only our own code can say.
    init(ours code: rd_kafka_resp_err_t, _ message: String, retriable: Bool, blame: Blame) {
        self.init(
            code: code.rawValue, name: String(cString: rd_kafka_err2name(code)), message: message,
            blame: blame, isRetriable: retriable, isFatal: false, cause: nil)
    }

    /// Reads and frees an error object.
    init(consuming error: OpaquePointer) {
        defer { rd_kafka_error_destroy(error) }
        self.init(
            rd_kafka_error_code(error), String(cString: rd_kafka_error_string(error)),
            fatal: rd_kafka_error_is_fatal(error) != 0)
    }

    static func closed(_ what: String) -> KafkaError {
        KafkaError(
            ours: RD_KAFKA_RESP_ERR__DESTROY, "the \(what) is closed", retriable: true,
            blame: .caller)
    }

    static func noOffset(_ message: String) -> KafkaError {
        KafkaError(
            ours: RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, message, retriable: false, blame: .broker)
    }

    static let cancelled = KafkaError(
        ours: RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
        "the wait for the delivery was cancelled; the record may still be delivered",
        retriable: true, blame: .caller)

    private static func blame(_ code: rd_kafka_resp_err_t, permanent: Bool) -> Blame {
        if permanent { return .caller }
        if code.rawValue > 0 { return .broker }
        return network.contains(code.rawValue) ? .network : .client
    }

    private static let network: Set<Int32> = [
        RD_KAFKA_RESP_ERR__TRANSPORT.rawValue, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue,
        RD_KAFKA_RESP_ERR__RESOLVE.rawValue, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT.rawValue,
        RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue, RD_KAFKA_RESP_ERR__SSL.rawValue,
    ]

    /// What the same call can never get past.
    private static let permanent: Set<Int32> = [
        RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, RD_KAFKA_RESP_ERR__BAD_MSG.rawValue,
        RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE.rawValue,
        RD_KAFKA_RESP_ERR__AUTHENTICATION.rawValue, RD_KAFKA_RESP_ERR_INVALID_MSG.rawValue,
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE.rawValue,
        RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE.rawValue,
        RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION.rawValue,
        RD_KAFKA_RESP_ERR_INVALID_RECORD.rawValue,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED.rawValue,
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED.rawValue,
        RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED.rawValue,
        RD_KAFKA_RESP_ERR_INVALID_PARTITIONS.rawValue,
        RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR.rawValue,
        RD_KAFKA_RESP_ERR_INVALID_CONFIG.rawValue,
    ]
}
