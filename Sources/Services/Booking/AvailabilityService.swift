import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Availability`.
public struct AvailabilityService: BookingV1.AvailabilityService {
    private let store: AvailabilityStore
    private let feed: AvailabilityFeed
    private let clock: Clock

    /// Slots in a snapshot at most.
    static let snapshotLimit = 2000

    public init(pool: PostgresPool, feed: AvailabilityFeed, clock: Clock) {
        store = AvailabilityStore(pool: pool)
        self.feed = feed
        self.clock = clock
    }

    public func findSlots(
        _ request: BookingV1.FindSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.FindSlotsResponse {
        var rules = FieldRules()
        rules.text(request.courseId, "course_id", limit: 40, required: false)
        var filter = SlotFilter(from: clock.now())
        filter.course = request.courseId
        filter.instructor = rules.optionalUUID(request.instructorId.nonEmpty, "instructor_id")
        filter.room = rules.optionalUUID(request.roomId.nonEmpty, "room_id")
        if !(0...10_000).contains(request.minRemaining) {
            rules.refuse("min_remaining", "is not between 0 and 10000")
        }
        filter.minimumSeats = max(1, Int(request.minRemaining))
        try page(
            &filter, &rules, from: request.from, to: request.to, size: request.pageSize,
            token: request.pageToken)
        return try await answer(filter)
    }

    public func getByInstructor(
        _ request: BookingV1.GetByInstructorRequest, _ context: ServerContext
    ) async throws -> BookingV1.FindSlotsResponse {
        var rules = FieldRules()
        var filter = SlotFilter(from: clock.now())
        filter.instructor = rules.uuid(request.instructorId, "instructor_id")
        try page(
            &filter, &rules, from: request.from, to: request.to, size: request.pageSize,
            token: request.pageToken)
        return try await answer(filter)
    }

    public func watch(
        _ request: BookingV1.WatchRequest, _ context: ServerContext,
        _ responses: ResponseWriter<BookingV1.WatchResponse>
    ) async throws {
        var rules = FieldRules()
        rules.text(request.courseId, "course_id", limit: 40, required: false)
        var filter = SlotFilter(from: clock.now())
        filter.course = request.courseId
        filter.instructor = rules.optionalUUID(request.instructorId.nonEmpty, "instructor_id")
        filter.room = rules.optionalUUID(request.roomId.nonEmpty, "room_id")
        filter.limit = Self.snapshotLimit
        try rules.check()
        // Listening comes before the snapshot: a change in between is sent twice, never missed.
        let subscription = feed.subscribe(filter)
        defer { feed.unsubscribe(subscription) }
        try await sendSnapshot(filter, responses)
        while let batch = await subscription.next() {
            switch batch {
            case .overflow: try await sendSnapshot(filter, responses)
            case .changed(let slots):
                for slot in slots {
                    var response = BookingV1.WatchResponse()
                    response.event = .changed(BookingV1.Slot(slot))
                    try await responses.write(response)
                }
            }
        }
    }

    // MARK: Pieces

    private func sendSnapshot(
        _ filter: SlotFilter, _ responses: ResponseWriter<BookingV1.WatchResponse>
    ) async throws {
        let slots = try await DomainError.mapping { try await store.find(filter) }
        var snapshot = BookingV1.WatchResponse.Snapshot()
        snapshot.slots = slots.prefix(Self.snapshotLimit).map { BookingV1.Slot($0) }
        snapshot.asOf = GoogleProtobuf.Timestamp(clock.now())
        var response = BookingV1.WatchResponse()
        response.event = .snapshot(snapshot)
        try await responses.write(response)
    }

    private func page(
        _ filter: inout SlotFilter, _ rules: inout FieldRules,
        from: GoogleProtobuf.Timestamp?, to: GoogleProtobuf.Timestamp?, size: Int32, token: String
    ) throws(DomainError) {
        if let from = rules.instant(from, "from") { filter.from = max(filter.from, from) }
        filter.to = rules.instant(to, "to")
        if !(0...500).contains(size) { rules.refuse("page_size", "is not between 0 and 500") }
        filter.limit = size == 0 ? 100 : Int(size)
        filter.after = PageToken.read(token, "page_token", &rules)
        try rules.check()
    }

    private func answer(_ filter: SlotFilter) async throws -> BookingV1.FindSlotsResponse {
        let slots = try await DomainError.mapping { try await store.find(filter) }
        var response = BookingV1.FindSlotsResponse()
        response.slots = slots.prefix(filter.limit).map { BookingV1.Slot($0) }
        if slots.count > filter.limit {
            let last = slots[filter.limit - 1]
            response.nextPageToken = PageToken(at: last.startsAt, id: last.id).text
        }
        response.asOf = GoogleProtobuf.Timestamp(clock.now())
        return response
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
