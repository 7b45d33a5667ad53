import CRdkafka

/// Where to go on when there is no offset to go on from.
public enum KafkaReset: String, Sendable {
    case earliest
    case latest
    /// ``KafkaConsumer/records`` throws.
    case fail

    var offset: Int64 {
        switch self {
        case .earliest, .fail: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .latest: Int64(RD_KAFKA_OFFSET_END)
        }
    }
}
