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

    static let timeout = Duration.seconds(10)

    /// - Throws: Inventory's refusal, after the course was taken back; UPSTREAM_UNAVAILABLE when
    ///   the outcome is open.
    func publish(_ course: Course) async throws {
        var request = BookingV1.PublishOfferingRequest()
        request.offering = BookingV1.Offering(course)
        do {
            _ = try await inventory.publishOffering(request, options: .timeout(Self.timeout))
        } catch let error as RPCError where Self.isDefinitive(error) {
            try await courses.removeUnpublished(course.id)
            throw Self.passed(on: error)
        } catch let error as RPCError {
            throw Self.open(error)
        }
        guard try await courses.markPublished(course.id) else { throw Self.takenBack }
    }

    /// Changes a course that is published: Inventory first, which may refuse it. What breaks off in
    /// between is mended by the same request again.
    /// - Throws: Inventory's refusal; UPSTREAM_UNAVAILABLE when the outcome is open.
    func change(_ course: Course) async throws {
        var request = BookingV1.PublishOfferingRequest()
        request.offering = BookingV1.Offering(course)
        do {
            _ = try await inventory.publishOffering(request, options: .timeout(Self.timeout))
        } catch let error as RPCError {
            throw Self.isDefinitive(error) ? Self.passed(on: error) : Self.open(error)
        }
        try await courses.update(course)
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

    /// Publishes class schedules of one course: all or none, or all that are in no conflict.
    /// - Throws: as ``publish(_:)-(Course)``.
    @discardableResult
    func publish(_ items: [UnpublishedSchedule]) async throws -> Skipped {
        guard let request = Self.request(items) else { return Skipped() }
        let skipped: Skipped
        do {
            skipped = Self.skipped(
                try await inventory.publishSlots(request, options: .timeout(Self.timeout)))
        } catch let error as RPCError where Self.isDefinitive(error) {
            try await schedules.removeUnpublished(items.map(\.schedule.id))
            throw Self.passed(on: error)
        } catch let error as RPCError {
            throw Self.open(error)
        }
        if !skipped.ids.isEmpty {
            try await schedules.removeUnpublished(Array(skipped.ids))
        }
        let isComplete = try await schedules.markPublished(
            items.filter { !skipped.ids.contains($0.schedule.id) }, at: clock.now())
        committed()
        guard isComplete else { throw Self.takenBack }
        return skipped
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

    private static let takenBack = DomainError(
        .upstreamUnavailable, "taken back by another request at the same time; send it again",
        retryAfter: .seconds(1), blame: .us)
}
