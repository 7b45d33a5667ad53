import Domain
public import Kafka

/// The topics that events travel on (B-16 and those added by the requirements).
public enum NotificationTopics {
    /// What anybody may see: availability, timetable and bookings without persons.
    public static let `public` = [
        "availability.updated", "booking.created", "booking.confirmed", "booking.cancelled",
        "booking.expired", "schedule.updated", "schedule.deleted", "waitlist.updated",
        "booking.choices_lost", "booking.choices_changed",
    ]

    /// What only staff and services may see.
    public static let restricted = [
        "booking.rescheduled", "payment.updated", "admin.notifications", "assessment.submitted",
    ]

    public static let all = `public` + restricted

    /// Where an undecodable record of a topic goes.
    public static func deadLetters(of topic: String) -> String { DeadLetters.topic(of: topic) }

    /// Every topic that Notification reads or writes, to be created before it starts.
    public static func topics(partitions: Int) -> [KafkaTopic] {
        all.map { topic in
            KafkaTopic(
                topic, partitions: partitions,
                settings: topic == "availability.updated" ? ["cleanup.policy": "compact"] : [:])
        } + all.map { KafkaTopic(deadLetters(of: $0), partitions: 1) }
    }
}

/// A set of the known topics, as one number.
struct TopicSet: OptionSet, Sendable, Hashable {
    let rawValue: UInt64

    static let `public` = TopicSet(NotificationTopics.public)
    static let all = TopicSet(NotificationTopics.all)

    private static let bits: [String: UInt64] = Dictionary(
        uniqueKeysWithValues: NotificationTopics.all.enumerated().map { ($1, 1 << UInt64($0)) })

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Nil when the topic is not known.
    init?(_ topic: String) {
        guard let bit = Self.bits[topic] else { return nil }
        rawValue = bit
    }

    private init(_ topics: [String]) {
        rawValue = topics.reduce(0) { $0 | (Self.bits[$1] ?? 0) }
    }
}
