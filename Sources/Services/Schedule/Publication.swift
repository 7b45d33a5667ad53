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

    /// Publishes class schedules of one course: all or none.
    /// - Throws: as ``publish(_:)-(Course)``.
    func publish(_ items: [UnpublishedSchedule]) async throws {
        guard let first = items.first else { return }
        var request = BookingV1.PublishSlotsRequest()
        request.courseId = first.schedule.courseID.description
        request.slots = items.map { BookingV1.SlotPublication($0) }
        do {
            _ = try await inventory.publishSlots(request, options: .timeout(Self.timeout))
        } catch let error as RPCError where Self.isDefinitive(error) {
            try await schedules.removeUnpublished(items.map(\.schedule.id))
            throw Self.passed(on: error)
        } catch let error as RPCError {
            throw Self.open(error)
        }
        let isComplete = try await schedules.markPublished(items, at: clock.now())
        committed()
        guard isComplete else { throw Self.takenBack }
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
