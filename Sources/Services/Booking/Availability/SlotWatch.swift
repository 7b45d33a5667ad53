import Domain
import Environment
import Protobuf
import RPC
import Schema

/// One call of Availability.Watch: where the caller left off, or a snapshot; then every change.
struct SlotWatch {
    private let filter: SlotFilter
    private let resume: String
    private let store: AvailabilityStore
    private let feed: AvailabilityFeed

    /// Slots in a snapshot at most.
    static let snapshotLimit = 2000

    /// Slots that are caught up on at most; a snapshot is shorter than more of them.
    static let resumeLimit = 1000

    init(
        _ request: BookingV1.WatchRequest, store: AvailabilityStore, feed: AvailabilityFeed,
        clock: Clock
    ) throws(DomainError) {
        var rules = FieldRules()
        var filter = SlotFilter(
            course: request.courseId, location: request.locationId,
            resources: [
                (request.instructorId, "instructor_id"), (request.roomId, "room_id"),
                (request.resourceId, "resource_id"),
            ], from: clock.now(), &rules)
        filter.limit = Self.snapshotLimit
        rules.text(request.resumeToken, "resume_token", limit: 100, required: false)
        try rules.check()
        self.filter = filter
        resume = request.resumeToken
        self.store = store
        self.feed = feed
    }

    func run(_ responses: ResponseWriter<BookingV1.WatchResponse>) async throws {
        // Listening comes before reading: a change in between is sent twice, never missed.
        let subscription = feed.subscribe(filter)
        defer { feed.unsubscribe(subscription) }
        if try await !catchUp(subscription, responses) {
            try await sendSnapshot(responses, reset: !resume.isEmpty)
        }
        while let batch = await subscription.next() {
            switch batch {
            case .overflow: try await sendSnapshot(responses, reset: true)
            case .changed(let slots, let position):
                try await send(slots, upTo: position, responses)
            }
        }
    }

    /// - Returns: false when the token cannot be followed.
    private func catchUp(
        _ subscription: SlotSubscription, _ responses: ResponseWriter<BookingV1.WatchResponse>
    ) async throws -> Bool {
        guard let token = SlotChanges.Position(resume),
            let (ids, position) = feed.changes(since: token), ids.count <= Self.resumeLimit
        else { return false }
        let reading = try await DomainError.mapping { try await store.slots(ids) }
        let slots = reading.slots.filter { subscription.matches($0) }
        var response = BookingV1.WatchResponse()
        var resumed = BookingV1.WatchResponse.Resumed()
        resumed.asOf = GoogleProtobuf.Timestamp(reading.asOf)
        response.event = .resumed(resumed)
        if slots.isEmpty { response.resumeToken = position.text }
        try await responses.write(response)
        try await send(slots, upTo: position, responses)
        return true
    }

    /// The last answer carries the position: before it the caller has not been told everything.
    private func send(
        _ slots: [Slot], upTo position: SlotChanges.Position?,
        _ responses: ResponseWriter<BookingV1.WatchResponse>
    ) async throws {
        for (index, slot) in slots.enumerated() {
            var response = BookingV1.WatchResponse()
            response.event = .changed(BookingV1.Slot(slot))
            if index == slots.count - 1 { response.resumeToken = position?.text ?? "" }
            try await responses.write(response)
        }
    }

    private func sendSnapshot(
        _ responses: ResponseWriter<BookingV1.WatchResponse>, reset: Bool
    ) async throws {
        // The position comes first: what it stands for is in what is read after it.
        let position = feed.position
        let reading = try await DomainError.mapping { try await store.find(filter) }
        var snapshot = BookingV1.WatchResponse.Snapshot()
        snapshot.slots = reading.slots.prefix(Self.snapshotLimit).map { BookingV1.Slot($0) }
        snapshot.asOf = GoogleProtobuf.Timestamp(reading.asOf)
        snapshot.version = reading.version
        snapshot.reset = reset
        var response = BookingV1.WatchResponse()
        response.event = .snapshot(snapshot)
        response.resumeToken = position?.text ?? ""
        try await responses.write(response)
    }
}
