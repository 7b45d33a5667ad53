import Domain
import Kafka
import Protobuf
import RPC
import Schema
import Testing

@testable import Notification

struct SubscriptionTests {
    private static let people: [Principal] = [
        .anonymous, .admin(id: "7"), .service(name: "edge"),
    ]

    @Test("X-53: the public gets only public topics; staff and services get all")
    func audience() throws {
        for person in Self.people {
            let open = try Subscription(NotificationV1.SubscribeRequest(), person)
            #expect(open.topics == (person == .anonymous ? .public : .all))
            for topic in NotificationTopics.all {
                var request = NotificationV1.SubscribeRequest()
                request.topics = [topic]
                let isOpen = person != .anonymous || NotificationTopics.public.contains(topic)
                if isOpen {
                    let one = try Subscription(request, person)
                    #expect(one.topics == TopicSet(topic))
                } else {
                    let error = try #require(throws: DomainError.self) {
                        try Subscription(request, person)
                    }
                    #expect(error.code == .unauthenticated)
                }
            }
        }
    }

    @Test("B-16: every topic of the document is there")
    func topics() {
        let named = [
            "booking.created", "booking.cancelled", "booking.confirmed", "schedule.updated",
            "schedule.deleted", "admin.notifications", "assessment.submitted",
        ]
        #expect(Set(named).isSubset(of: NotificationTopics.all))
        #expect(Set(NotificationTopics.all).count == NotificationTopics.all.count)
        #expect(NotificationTopics.public.allSatisfy { !$0.hasPrefix("admin") })
    }

    @Test(
        "unknown topics, foreign resume positions and empty filters are refused",
        arguments: ["topic", "resume", "partition", "filter"])
    func refused(broken: String) throws {
        var request = NotificationV1.SubscribeRequest()
        request.topics = ["booking.created"]
        switch broken {
        case "topic": request.topics.append("booking.invented")
        case "resume": request.resume = [Samples.position("schedule.updated", 0, 1)]
        case "partition": request.resume = [Samples.position("booking.created", -1, 1)]
        default: request.courseIds = [" "]
        }
        let error = try #require(throws: DomainError.self) {
            try Subscription(request, .admin(id: "7"))
        }
        #expect(error.code == .validationFailed)
        #expect(error.violations.count == 1)
    }

    @Test(
        "B-08, B-09: filters match course (id or code) and room; both must be met",
        arguments: [
            ([], [], true), ([Samples.course], [], true), ([Samples.course.uppercased()], [], true),
            (["PIANO-101"], [], true), (["piano-101", "X-1"], [], true), (["X-1"], [], false),
            ([], ["r-1"], true), ([], ["r-2"], false), (["PIANO-101"], ["r-1"], true),
            (["PIANO-101"], ["r-2"], false), (["X-1"], ["r-1"], false),
        ] as [([String], [String], Bool)])
    func filters(courses: [String], rooms: [String], matches: Bool) throws {
        var request = NotificationV1.SubscribeRequest()
        request.courseIds = courses
        request.roomIds = rooms
        let subscription = try Subscription(request, .anonymous)
        let item = Samples.item(
            "availability.updated", offset: 1,
            data: ["course_id": Samples.course, "course_code": "PIANO-101", "room_id": "R-1"])
        #expect(subscription.matches(item) == matches)
    }

    @Test("an event that names no room meets no filter for rooms")
    func unnamed() throws {
        var request = NotificationV1.SubscribeRequest()
        request.roomIds = ["r-1"]
        #expect(try !Subscription(request, .anonymous).matches(Samples.item(offset: 1)))
    }

    @Test("X-53: the public view holds no field that is not named, and no actor's id")
    func publicView() throws {
        let event = Samples.event(data: [
            "booking_id": "b-1", "status": "pending", "full_name": "Budi", "email": "b@c.id",
            "cancelledBy": "admin:7", "actor": "system",
        ])
        let view = PublicView.of(event).payload?.data?.fields ?? [:]
        #expect(view.keys.sorted() == ["actor", "booking_id", "cancelledBy", "status"])
        #expect(view["cancelledBy"]?.kind == .stringValue("admin"))
        let item = FeedItem(
            event, topic: TopicSet("booking.cancelled") ?? [],
            position: .init(topic: "booking.cancelled", partition: 0, offset: 0))
        #expect(!String(decoding: item.view, as: UTF8.self).contains("Budi"))
        #expect(String(decoding: item.full, as: UTF8.self).contains("Budi"))
    }

    @Test("what the public may not see is not even encoded for it")
    func restricted() {
        #expect(Samples.item("admin.notifications", offset: 1).view.isEmpty)
    }
}
