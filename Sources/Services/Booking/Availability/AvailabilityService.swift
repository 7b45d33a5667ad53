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

    /// Slots in one lookup.
    static let lookupLimit = 500

    public init(pool: PostgresPool, feed: AvailabilityFeed, clock: Clock) {
        store = AvailabilityStore(pool: pool)
        self.feed = feed
        self.clock = clock
    }

    public func findSlots(
        _ request: BookingV1.FindSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.FindSlotsResponse {
        var rules = FieldRules()
        var filter = SlotFilter(
            course: request.courseId, location: request.locationId,
            resources: [
                (request.instructorId, "instructor_id"), (request.roomId, "room_id"),
                (request.resourceId, "resource_id"),
            ], from: clock.now(), &rules)
        if !(0...10_000).contains(request.minRemaining) {
            rules.refuse("min_remaining", "is not between 0 and 10000")
        }
        filter.minimumSeats = max(1, Int(request.minRemaining))
        return try await find(
            filter, rules,
            Page(request.from, request.to, size: request.pageSize, token: request.pageToken))
    }

    public func getByInstructor(
        _ request: BookingV1.GetByInstructorRequest, _ context: ServerContext
    ) async throws -> BookingV1.FindSlotsResponse {
        try await find(
            resource: request.instructorId, "instructor_id",
            Page(request.from, request.to, size: request.pageSize, token: request.pageToken))
    }

    public func getByResource(
        _ request: BookingV1.GetByResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.FindSlotsResponse {
        try await find(
            resource: request.resourceId, "resource_id",
            Page(request.from, request.to, size: request.pageSize, token: request.pageToken))
    }

    public func batchLookup(
        _ request: BookingV1.BatchLookupRequest, _ context: ServerContext
    ) async throws -> BookingV1.BatchLookupResponse {
        var rules = FieldRules()
        if request.slotIds.isEmpty { rules.refuse("slot_ids", "is required") }
        if request.slotIds.count > Self.lookupLimit {
            rules.refuse("slot_ids", "holds more than \(Self.lookupLimit)")
        }
        let ids = request.slotIds.prefix(Self.lookupLimit).enumerated().compactMap {
            rules.uuid($1, "slot_ids[\($0)]")
        }
        try rules.check()
        let reading = try await DomainError.mapping { try await store.slots(ids) }
        let slots = Dictionary(
            reading.slots.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var response = BookingV1.BatchLookupResponse()
        response.slots = ids.compactMap { slots[$0].map { BookingV1.Slot($0) } }
        response.asOf = GoogleProtobuf.Timestamp(reading.asOf)
        response.version = reading.version
        return response
    }

    public func watch(
        _ request: BookingV1.WatchRequest, _ context: ServerContext,
        _ responses: ResponseWriter<BookingV1.WatchResponse>
    ) async throws {
        try await SlotWatch(request, store: store, feed: feed, clock: clock).run(responses)
    }

    // MARK: Pieces

    /// Which slots of those that are found, as every request for slots names it.
    private struct Page {
        let from: GoogleProtobuf.Timestamp?
        let to: GoogleProtobuf.Timestamp?
        let size: Int32
        let token: String

        init(
            _ from: GoogleProtobuf.Timestamp?, _ to: GoogleProtobuf.Timestamp?, size: Int32,
            token: String
        ) {
            (self.from, self.to, self.size, self.token) = (from, to, size, token)
        }
    }

    private func find(
        resource: String, _ field: String, _ page: Page
    ) async throws -> BookingV1.FindSlotsResponse {
        var rules = FieldRules()
        var filter = SlotFilter(from: clock.now())
        filter.resources = [rules.uuid(resource, field)].compactMap { $0 }
        return try await find(filter, rules, page)
    }

    private func find(
        _ filter: SlotFilter, _ rules: FieldRules, _ page: Page
    ) async throws -> BookingV1.FindSlotsResponse {
        var (filter, rules) = (filter, rules)
        if let from = rules.instant(page.from, "from") { filter.from = max(filter.from, from) }
        filter.to = rules.instant(page.to, "to")
        if !(0...500).contains(page.size) {
            rules.refuse("page_size", "is not between 0 and 500")
        }
        filter.limit = page.size == 0 ? 100 : Int(page.size)
        filter.after = PageToken.read(page.token, "page_token", &rules)
        try rules.check()
        return try await answer(filter)
    }

    private func answer(_ filter: SlotFilter) async throws -> BookingV1.FindSlotsResponse {
        let reading = try await DomainError.mapping { try await store.find(filter) }
        let slots = reading.slots
        var response = BookingV1.FindSlotsResponse()
        response.slots = slots.prefix(filter.limit).map { BookingV1.Slot($0) }
        if slots.count > filter.limit {
            let last = slots[filter.limit - 1]
            response.nextPageToken = PageToken(at: last.startsAt, id: last.id).text
        }
        response.asOf = GoogleProtobuf.Timestamp(reading.asOf)
        response.version = reading.version
        return response
    }
}

extension String {
    var nonEmpty: String? { isEmpty ? nil : self }
}
