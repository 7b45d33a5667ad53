import Domain
import Kafka
import Schema

/// What a subscriber asked for and may see. Pure.
struct Subscription: Sendable {
    let topics: TopicSet
    /// UUIDs or codes in lower case; empty is all.
    let courses: Set<String>
    let rooms: Set<String>
    /// The last offset that the subscriber knows, for each partition it names.
    let resume: [KafkaPartition: Int64]
    /// Sees everything that events hold; others see the public view.
    let isStaff: Bool

    static let filterLimit = 1000
    static let topicLimit = 64

    /// - Throws: VALIDATION_FAILED, or UNAUTHENTICATED for topics that are not the public's.
    init(
        _ request: NotificationV1.SubscribeRequest, _ principal: Principal
    ) throws(DomainError) {
        isStaff = principal != .anonymous
        var rules = FieldRules()
        if request.topics.count > Self.topicLimit {
            rules.refuse("topics", "names more than \(Self.topicLimit)")
        }
        if request.resume.count > Self.filterLimit {
            rules.refuse("resume", "names more than \(Self.filterLimit)")
        }
        try rules.check()
        var wanted: TopicSet = []
        for (index, name) in request.topics.enumerated() {
            guard let topic = TopicSet(name) else {
                rules.refuse("topics[\(index)]", "is not a topic")
                continue
            }
            wanted.formUnion(topic)
        }
        let allowed: TopicSet = isStaff ? .all : .public
        topics = wanted.isEmpty ? allowed : wanted
        courses = Self.filter(request.courseIds, "course_ids", &rules)
        rooms = Self.filter(request.roomIds, "room_ids", &rules)
        var resume: [KafkaPartition: Int64] = [:]
        for (index, position) in request.resume.enumerated() {
            let isKnown = TopicSet(position.topic).map(topics.contains) ?? false
            if !isKnown { rules.refuse("resume[\(index)].topic", "is not subscribed") }
            if position.partition < 0 || position.offset < 0 {
                rules.refuse("resume[\(index)]", "is not a position")
            }
            let place = KafkaPartition(topic: position.topic, index: position.partition)
            // Of several positions the earliest: nothing is missed.
            resume[place] = min(resume[place] ?? .max, position.offset)
        }
        self.resume = resume
        try rules.check()
        guard topics.isSubset(of: allowed) else {
            throw DomainError(.unauthenticated, "some of these topics need credentials")
        }
    }

    private static func filter(
        _ values: [String], _ field: String, _ rules: inout FieldRules
    ) -> Set<String> {
        if values.count > filterLimit { rules.refuse(field, "names more than \(filterLimit)") }
        for (index, value) in values.prefix(filterLimit).enumerated() {
            rules.text(value, "\(field)[\(index)]", limit: 64)
        }
        return Set(values.prefix(filterLimit).map { $0.lowercased() })
    }

    /// Whether the subscriber gets this event. Both filters must be met, and an event that names
    /// no course (or room) meets no filter for one.
    func matches(_ item: FeedItem) -> Bool {
        topics.contains(item.topic)
            && (courses.isEmpty || item.courses.contains(where: courses.contains))
            && (rooms.isEmpty || item.rooms.contains(where: rooms.contains))
    }
}
