import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Inventory`: what the services that own timetables publish.
public struct InventoryService: BookingV1.InventoryService {
    private let store: InventoryStore
    private let clock: Clock
    private let committed: @Sendable () -> Void

    static let slotLimit = 1000

    public init(pool: PostgresPool, clock: Clock, committed: @escaping @Sendable () -> Void) {
        store = InventoryStore(pool: pool)
        self.clock = clock
        self.committed = committed
    }

    public func publishOffering(
        _ request: BookingV1.PublishOfferingRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishOfferingResponse {
        let message = request.offering ?? BookingV1.Offering()
        var rules = FieldRules()
        let id = rules.uuid(message.id, "offering.id")
        rules.text(message.code, "offering.code", limit: 40)
        rules.text(message.title, "offering.title", limit: 200)
        rules.text(message.timeZone, "offering.time_zone", limit: 64)
        let policy: Offering.ClaimPolicy? =
            switch message.claimAt {
            case .assign: .assign
            case .publish: .publish
            default: nil
            }
        if policy == nil { rules.refuse("offering.claim_at", "is required") }
        try rules.check()
        guard let id, let policy else { throw DomainError(.validationFailed, "no offering") }
        let offering = Offering(
            id: id, code: message.code, title: message.title, claimAt: policy,
            timeZone: message.timeZone)
        do {
            try await store.publish(offering)
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw DomainError(.alreadyExists, "the code belongs to another offering")
        } catch let error as PostgresError {
            throw DomainError(error)
        }
        return BookingV1.PublishOfferingResponse()
    }

    public func publishSlots(
        _ request: BookingV1.PublishSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.PublishSlotsResponse {
        var rules = FieldRules()
        let course = rules.uuid(request.courseId, "course_id")
        if request.slots.count > Self.slotLimit {
            rules.refuse("slots", "holds more than \(Self.slotLimit)")
        }
        let slots = request.slots.prefix(Self.slotLimit).enumerated().compactMap {
            Self.publication($1, "slots[\($0)]", &rules)
        }
        try rules.check()
        guard let course, !slots.isEmpty else { return BookingV1.PublishSlotsResponse() }
        let created = try await DomainError.mapping { try await publish(slots, of: course) }
        committed()
        var response = BookingV1.PublishSlotsResponse()
        response.created = Int32(clamping: created)
        response.unchanged = Int32(clamping: slots.count - created)
        return response
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
        try rules.check()
        guard let instructor, let room, let start, let end else {
            throw DomainError(.validationFailed, "instructor, room and times are required")
        }
        let found = try await DomainError.mapping {
            try await ConflictQuery(pool: store.pool).find(
                instructor: instructor, room: room, from: start, to: end,
                excludingBooking: exclude)
        }
        var response = BookingV1.CheckConflictsResponse()
        response.conflicts = found.map { BookingV1.Conflict($0) }
        return response
    }

    // MARK: Publishing

    private struct Occupied: Error {
        let slots: [InventoryStore.Publication]
    }

    private func publish(
        _ slots: [InventoryStore.Publication], of course: UUID
    ) async throws -> Int {
        guard let offering = try await store.offering(course) else {
            throw DomainError(.courseNotFound, "there is no such course")
        }
        // Names first and by themselves: their row locks must not be held while claims wait.
        try await store.pool.execute(store.insertResources(slots))
        do {
            return try await store.pool.transaction { transaction in
                try await insert(slots, offering, transaction)
            }
        } catch let occupied as Occupied {
            throw try await explain(occupied)
        }
    }

    private func insert(
        _ slots: [InventoryStore.Publication], _ offering: Offering,
        _ transaction: PostgresTransaction
    ) async throws -> Int {
        let new = try await store.insertSlots(slots, of: offering.id, transaction)
        let differing = try await store.differing(slots, of: offering.id, transaction)
        guard differing.isEmpty else {
            throw DomainError(.alreadyExists, "a slot with this id says something else")
        }
        guard !new.isEmpty else { return 0 }
        if offering.claimAt == .publish {
            let claimed = try await transaction.execute(store.insertClaims(new))
            if claimed < new.count * 2 { throw Occupied(slots: slots) }
            try await transaction.execute(store.touchResources(of: new))
        }
        let now = clock.now()
        let rows = try await transaction.query(
            offering.claimAt == .publish
                ? store.withNeighbours(new)
                : "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(new))")
        let events = try rows.map { row in
            let slot = try SlotRow.read(row)
            return BookingEvents.availability(slot, version: slot.version, at: now)
        }
        try await transaction.commit(with: [Outbox.insert(events)])
        return new.count
    }

    /// Says what occupies the first slots that could not be published.
    private func explain(_ occupied: Occupied) async throws -> DomainError {
        var details = BookingV1.ConflictDetails()
        let query = ConflictQuery(pool: store.pool)
        for slot in occupied.slots where details.conflicts.count < 20 {
            details.conflicts += try await query.find(
                instructor: slot.instructor.id, room: slot.room.id, from: slot.startsAt,
                to: slot.endsAt, excludingBooking: nil
            ).filter { $0.slotID != slot.id }.map { BookingV1.Conflict($0) }
        }
        return DomainError(
            .scheduleConflict, "an instructor or a room is occupied at one of the times"
        ).with(details)
    }

    private static func publication(
        _ message: BookingV1.SlotPublication, _ path: String, _ rules: inout FieldRules
    ) -> InventoryStore.Publication? {
        let id = rules.uuid(message.id, "\(path).id")
        let instructor = rules.uuid(message.instructor?.id ?? "", "\(path).instructor.id")
        let room = rules.uuid(message.room?.id ?? "", "\(path).room.id")
        if message.startTime == nil { rules.refuse("\(path).start_time", "is required") }
        if message.endTime == nil { rules.refuse("\(path).end_time", "is required") }
        let start = rules.instant(message.startTime, "\(path).start_time")
        let end = rules.instant(message.endTime, "\(path).end_time")
        if let start, let end, end <= start {
            rules.refuse("\(path).end_time", "is not after the start")
        }
        if !(1...10_000).contains(message.capacity) {
            rules.refuse("\(path).capacity", "is not between 1 and 10000")
        }
        guard let id, let instructor, let room, let start, let end else { return nil }
        return InventoryStore.Publication(
            id: id,
            instructor: NamedResource(id: instructor, name: message.instructor?.name ?? ""),
            room: NamedResource(id: room, name: message.room?.name ?? ""),
            startsAt: start, endsAt: end, capacity: Int(message.capacity))
    }
}
