import Domain
import Environment
import Postgres
import RPC
import Schema

/// Makes Inventory know what the timetable has stored, and writes down that it does.
///
/// Own commit, publish, mark: whatever breaks off in between is taken up again by
/// ``SchedulePublisher``, and publishing the same twice changes nothing.
struct Publication: Sendable {
    let inventory: BookingV1.InventoryClient
    let catalogue: BookingV1.CatalogueClient
    let courses: CourseStore
    let schedules: ClassScheduleStore
    let clock: Clock
    let committed: @Sendable () -> Void

    /// Shorter than a transaction may rest, which holds a key meanwhile.
    static let timeout = Duration.seconds(8)

    /// Makes Inventory know a course, or its change. Naturally idempotent, so without a key.
    /// - Returns: Inventory's refusal, when it refuses.
    /// - Throws: UPSTREAM_UNAVAILABLE when the outcome is open.
    func ask(_ course: Course) async throws -> RPCError? {
        var request = BookingV1.PublishOfferingRequest()
        request.offering = BookingV1.Offering(course)
        do {
            _ = try await inventory.publishOffering(request, options: .timeout(Self.timeout))
            return nil
        } catch let error as RPCError {
            guard Self.isDefinitive(error) else { throw Self.open(error) }
            return Self.passed(on: error)
        }
    }

    /// - Throws: Inventory's refusal, after the course was taken back; UPSTREAM_UNAVAILABLE when
    ///   the outcome is open.
    func publish(_ course: Course) async throws {
        if let refusal = try await ask(course) {
            try await courses.pool.execute(CourseStore.removeUnpublished(course.id))
            throw refusal
        }
        guard try await courses.pool.execute(CourseStore.markPublished(course.id)) == 1 else {
            throw Self.takenBack
        }
    }

    /// Whose clocks a course in this location goes by; nil without a location.
    /// - Throws: the catalogue's refusal; UPSTREAM_UNAVAILABLE.
    func timeZone(ofLocation id: String?) async throws -> String? {
        guard let id else { return nil }
        var request = BookingV1.GetLocationRequest()
        request.locationId = id
        do {
            let answer = try await catalogue.getLocation(request, options: .timeout(Self.timeout))
            return answer.location?.timeZone
        } catch let error as RPCError {
            if Self.isDefinitive(error) { throw Self.passed(on: error) }
            throw DomainError(
                .upstreamUnavailable, "the location cannot be looked up; try again",
                retryAfter: .seconds(1), blame: .peer, cause: "\(error)")
        }
    }

    /// What Inventory left out, and what is in the way.
    struct Skipped: Sendable {
        var ids: Set<UUID> = []
        var conflicts: [BookingV1.Conflict] = []
    }

    /// What publishing would leave out; nothing is changed.
    func rehearse(_ items: [UnpublishedSchedule]) async throws -> Skipped {
        guard var request = Self.request(items) else { return Skipped() }
        request.dryRun = true
        do {
            return Self.skipped(
                try await inventory.publishSlots(request, options: .timeout(Self.timeout)))
        } catch let error as RPCError {
            throw Self.isDefinitive(error) ? Self.passed(on: error) : Self.open(error)
        }
    }

    private static func request(
        _ items: [UnpublishedSchedule]
    ) -> BookingV1.PublishSlotsRequest? {
        guard let first = items.first else { return nil }
        var request = BookingV1.PublishSlotsRequest()
        request.courseId = first.schedule.courseID.description
        request.slots = items.map { BookingV1.SlotPublication($0) }
        request.skipConflicts = first.skipsConflicts
        return request
    }

    private static func skipped(_ answer: BookingV1.PublishSlotsResponse) -> Skipped {
        Skipped(
            ids: Set(answer.skippedSlotIds.compactMap { UUID($0) }), conflicts: answer.conflicts)
    }

    /// Makes Inventory know class schedules of one course: all or none, or all that are in no
    /// conflict. Their ids make it idempotent, so it has no key.
    /// - Returns: what it leaves out, or its refusal.
    /// - Throws: UPSTREAM_UNAVAILABLE when the outcome is open.
    func ask(_ items: [UnpublishedSchedule]) async throws -> Result<Skipped, RPCError> {
        guard let request = Self.request(items) else { return .success(Skipped()) }
        do {
            return .success(
                Self.skipped(
                    try await inventory.publishSlots(request, options: .timeout(Self.timeout))))
        } catch let error as RPCError {
            guard Self.isDefinitive(error) else { throw Self.open(error) }
            return .failure(Self.passed(on: error))
        }
    }

    /// Writes down that Inventory has them, but for what it has left out.
    /// - Throws: UPSTREAM_UNAVAILABLE when one of them has been taken back meanwhile.
    func mark(
        _ items: [UnpublishedSchedule], without skipped: Skipped,
        _ transaction: PostgresTransaction
    ) async throws {
        if !skipped.ids.isEmpty {
            try await transaction.execute(
                ClassScheduleStore.removeUnpublished(Array(skipped.ids)))
        }
        let published = items.filter { !skipped.ids.contains($0.schedule.id) }
        guard try await schedules.markPublished(published, at: clock.now(), transaction) else {
            throw Self.takenBack
        }
    }

    /// - Throws: Inventory's refusal, after they were taken back; UPSTREAM_UNAVAILABLE when the
    ///   outcome is open.
    func publish(_ items: [UnpublishedSchedule]) async throws {
        guard !items.isEmpty else { return }
        switch try await ask(items) {
        case .failure(let refusal):
            try await schedules.pool.execute(
                ClassScheduleStore.removeUnpublished(items.map(\.schedule.id)))
            throw refusal
        case .success(let skipped):
            defer { committed() }
            try await schedules.pool.transaction { transaction in
                try await mark(items, without: skipped, transaction)
            }
        }
    }

    /// Whether asking again would only be refused again: nothing was published.
    static func isDefinitive(_ error: RPCError) -> Bool {
        switch error.code {
        case .invalidArgument, .notFound, .alreadyExists, .failedPrecondition, .outOfRange: true
        default: false
        }
    }

    /// Code, words and details (what is in the way) are for our caller too; trailers are not.
    private static func passed(on error: RPCError) -> RPCError {
        RPCError(
            error.code, error.message, details: error.details, blame: .caller,
            cause: "refused by Inventory")
    }

    private static func open(_ error: RPCError) -> DomainError {
        DomainError(
            .upstreamUnavailable,
            "stored, but not published yet; it will be, and the same request can be sent again",
            retryAfter: .seconds(1), blame: .peer, cause: "\(error)")
    }

    static let takenBack = DomainError(
        .upstreamUnavailable, "taken back by another request at the same time; send it again",
        retryAfter: .seconds(1), blame: .us)
}
