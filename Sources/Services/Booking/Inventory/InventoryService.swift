import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Inventory`: what the services that own timetables publish.
public struct InventoryService: BookingV1.InventoryService {
    private let store: InventoryStore
    private let publisher: SlotPublisher
    private let clock: Clock
    private let committed: @Sendable () -> Void

    public init(pool: PostgresPool, clock: Clock, committed: @escaping @Sendable () -> Void) {
        store = InventoryStore(pool: pool)
        publisher = SlotPublisher(store: store, clock: clock)
        self.clock = clock
        self.committed = committed
    }

    public func publishOffering(
        _ request: BookingV1.PublishOfferingRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishOfferingResponse {
        let offering = try Self.offering(request.offering ?? BookingV1.Offering())
        let use = try use(request.idempotencyKey, request, context)
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(use, on: store.pool) { transaction, _ in
                try await store.publish(offering, transaction)
                let terms = try await store.terms(of: offering.id, transaction)
                var response = BookingV1.PublishOfferingResponse()
                response.offering = terms.map { BookingV1.Offering($0.offering) }
                return response
            }
        }
    }

    public func publishSlots(
        _ request: BookingV1.PublishSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishSlotsResponse {
        var rules = FieldRules()
        let course = rules.uuid(request.courseId, "course_id")
        if request.slots.count > SlotPublication.limit {
            rules.refuse("slots", "holds more than \(SlotPublication.limit)")
        }
        let slots = request.slots.prefix(SlotPublication.limit).enumerated().compactMap {
            SlotPublication($1, "slots[\($0)]", &rules)
        }
        if Set(slots.map(\.id)).count < slots.count { rules.refuse("slots", "names an id twice") }
        guard rules.areKept, let course else { throw rules.refusal }
        let order = SlotPublisher.Order(
            slots: slots, course: course, skipConflicts: request.skipConflicts,
            isDryRun: request.dryRun)
        let use = try use(request.idempotencyKey, request, context)
        let response = try await DomainError.mapping { try await publisher.publish(order, use) }
        if !request.dryRun { committed() }
        return response
    }

    private func use(
        _ key: String?, _ request: some Message, _ context: ServerContext
    ) throws(DomainError) -> IdempotencyTable.Use? {
        try IdempotencyTable.Use(checked: key, for: request, context, at: clock.now())
    }

    public func checkConflicts(
        _ request: BookingV1.CheckConflictsRequest, _ context: ServerContext
    ) async throws -> BookingV1.CheckConflictsResponse {
        var rules = FieldRules()
        let instructor = rules.uuid(request.instructorId, "instructor_id")
        let room = rules.uuid(request.roomId, "room_id")
        let exclude = rules.optionalUUID(request.excludeBookingId, "exclude_booking_id")
        if request.startTime == nil { rules.refuse("start_time", "is required") }
        if request.endTime == nil { rules.refuse("end_time", "is required") }
        let start = rules.instant(request.startTime, "start_time")
        let end = rules.instant(request.endTime, "end_time")
        if let start, let end, end <= start { rules.refuse("end_time", "is not after the start") }
        guard rules.areKept, let instructor, let room, let start, let end else {
            throw rules.refusal
        }
        let found = try await DomainError.mapping {
            try await ConflictQuery(pool: store.pool).find(
                [instructor, room], from: start, to: end, excludingBooking: exclude)
        }
        var response = BookingV1.CheckConflictsResponse()
        response.conflicts = found.map { BookingV1.Conflict($0) }
        return response
    }

    private static func offering(_ message: BookingV1.Offering) throws(DomainError) -> Offering {
        var rules = FieldRules()
        let id = rules.uuid(message.id, "offering.id")
        rules.text(message.code, "offering.code", limit: 40)
        rules.text(message.title, "offering.title", limit: 200)
        rules.text(message.timeZone, "offering.time_zone", limit: 64)
        let location = rules.optionalUUID(message.locationId, "offering.location_id")
        rules.text(message.policy, "offering.policy", limit: 40, required: false)
        rules.price(message.price, "offering.price")
        let currency = message.currency.isEmpty ? "IDR" : message.currency
        if !Currency.isCode(currency) {
            rules.refuse("offering.currency", "is not a code of ISO 4217")
        }
        let kind = message.kind.isEmpty ? "course" : message.kind
        if !ResourceKind.isKind(kind) {
            rules.refuse("offering.kind", "is not a word in lower case")
        }
        let claimAt: Offering.ClaimPolicy? =
            switch message.claimAt {
            case .assign: .assign
            case .publish: .publish
            default: nil
            }
        if claimAt == nil { rules.refuse("offering.claim_at", "is required") }
        guard rules.areKept, let id, let claimAt else { throw rules.refusal }
        var offering = Offering(
            id: id, code: message.code, title: message.title, claimAt: claimAt,
            timeZone: message.timeZone)
        offering.kind = kind
        offering.locationID = location
        if !message.policy.isEmpty { offering.policy = message.policy }
        (offering.price, offering.currency) = (message.price, currency)
        return offering
    }
}
