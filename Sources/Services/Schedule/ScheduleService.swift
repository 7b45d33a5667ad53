import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.schedule.v1.Schedule`: the timetable, published to Inventory as it grows.
public struct ScheduleService: ScheduleV1.ScheduleService {
    private let pool: PostgresPool
    private let courses: CourseStore
    private let schedules: ClassScheduleStore
    private let publication: Publication
    private let clock: Clock
    private let defaultTimeZone: String
    private let zones: TimeZoneDatabase

    static let wordLimit = 20

    /// - Parameters:
    ///   - inventory: where `janji.booking.v1.Inventory` is; calls need a service's credentials.
    ///   - defaultTimeZone: IANA zone of courses that name none (DEFAULT_TZ).
    ///   - zones: by whose clocks series are expanded.
    ///   - committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, inventory: any Channel, clock: Clock = .system,
        defaultTimeZone: String, zones: TimeZoneDatabase = .system,
        committed: @escaping @Sendable () -> Void
    ) {
        self.pool = pool
        courses = CourseStore(pool: pool)
        schedules = ClassScheduleStore(pool: pool)
        publication = Publication(
            inventory: BookingV1.InventoryClient(inventory),
            catalogue: BookingV1.CatalogueClient(inventory), courses: courses,
            schedules: schedules, clock: clock, committed: committed)
        self.clock = clock
        self.defaultTimeZone = defaultTimeZone
        self.zones = zones
    }

    // MARK: Reading

    public func listCourses(
        _ request: ScheduleV1.ListCoursesRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.ListCoursesResponse {
        let words = try Self.words(request.query)
        var response = ScheduleV1.ListCoursesResponse()
        response.courses = try await DomainError.mapping { try await courses.list(words: words) }
            .map { ScheduleV1.Course($0) }
        return response
    }

    public func getCourse(
        _ request: ScheduleV1.GetCourseRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.GetCourseResponse {
        var response = ScheduleV1.GetCourseResponse()
        response.course = ScheduleV1.Course(try await publishedCourse(request.courseId))
        return response
    }

    public func listClassSchedules(
        _ request: ScheduleV1.ListClassSchedulesRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.ListClassSchedulesResponse {
        var rules = FieldRules()
        let from = rules.instant(request.from, "from")
        let to = rules.instant(request.to, "to")
        if let from, let to, to <= from { rules.refuse("to", "is not after from") }
        try rules.check()
        let course = try await publishedCourse(request.courseId)
        let found = try await DomainError.mapping {
            try await schedules.list(course: course.id, from: from, to: to)
        }
        if found.count > ClassScheduleStore.listLimit {
            rules.refuse("to", "leaves more than \(ClassScheduleStore.listLimit) class schedules")
            try rules.check()
        }
        var response = ScheduleV1.ListClassSchedulesResponse()
        response.schedules = found.map { ScheduleV1.ClassSchedule($0) }
        return response
    }

    public func listInstructors(
        _ request: ScheduleV1.ListInstructorsRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.ListInstructorsResponse {
        var response = ScheduleV1.ListInstructorsResponse()
        response.instructors = try await DomainError.mapping { try await courses.instructors() }
            .map { ScheduleV1.Instructor($0) }
        return response
    }

    public func listRooms(
        _ request: ScheduleV1.ListRoomsRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.ListRoomsResponse {
        var response = ScheduleV1.ListRoomsResponse()
        response.rooms = try await DomainError.mapping { try await courses.rooms() }
            .map { ScheduleV1.Room($0) }
        return response
    }

    // MARK: Creating

    public func createCourse(
        _ request: ScheduleV1.CreateCourseRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.CreateCourseResponse {
        let use = try use(request.idempotencyKey, request, context)
        let completion = completion(use)
        return try await DomainError.mapping {
            try await completion.run {
                // Before the location is asked for, which may be gone since.
                if let known: ScheduleV1.CreateCourseResponse =
                    try await IdempotencyTable.answered(use, on: pool)
                {
                    return known
                }
                let course = try CourseRules.course(
                    request, defaultTimeZone: defaultTimeZone,
                    locationTimeZone: try await publication.timeZone(
                        ofLocation: request.locationId), otherwise: use?.id ?? .timeOrdered())
                return try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                    try await store(course, transaction)
                    var response = ScheduleV1.CreateCourseResponse()
                    response.course = ScheduleV1.Course(course)
                    return response
                }
            } _: {
                try await completion.course($0)
            }
        }
    }

    private func store(_ course: Course, _ transaction: PostgresTransaction) async throws {
        if try await courses.insert(course, at: clock.now(), transaction) { return }
        let known = try await courses.find(.id(course.id), transaction)
        guard let known, known.course == course else {
            throw Self.exists("a course with this id or code")
        }
    }

    /// Inventory first, which may refuse it. What breaks off in between is mended by the same
    /// request again.
    public func updateCourse(
        _ request: ScheduleV1.UpdateCourseRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.UpdateCourseResponse {
        let use = try use(request.idempotencyKey, request, context)
        let key = try CourseKey(request.courseId)
        return try await DomainError.mapping {
            if let known: ScheduleV1.UpdateCourseResponse = try await IdempotencyTable.answered(
                use, on: pool)
            {
                return known
            }
            let timeZone = try await publication.timeZone(ofLocation: request.locationId)
            return try await IdempotencyTable.settling(
                on: pool, deadline: .after(Completion.timeout), if: use != nil
            ) { deadline in
                try await pool.transaction(deadline: deadline) { transaction in
                    if let use,
                        let known = try await IdempotencyTable.hold(use, transaction)
                            .answer(to: use)
                    {
                        return try ScheduleV1.UpdateCourseResponse(decoding: known)
                    }
                    let found = try await courses.find(key, transaction)
                    guard let found, found.isPublished else { throw CourseKey.notFound }
                    let next = try CourseRules.change(found.course, request, timeZone: timeZone)
                    if let refusal = try await publication.ask(next) { throw refusal }
                    var response = ScheduleV1.UpdateCourseResponse()
                    response.course = ScheduleV1.Course(next)
                    var last = [CourseStore.update(next)]
                    if let use {
                        last.append(
                            IdempotencyTable.keep([(use, response.encoded())], at: use.at))
                    }
                    try await transaction.commit(with: last)
                    return response
                }
            }
        }
    }

    public func createInstructor(
        _ request: ScheduleV1.CreateInstructorRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.CreateInstructorResponse {
        let use = try use(request.idempotencyKey, request, context)
        let wanted = try CourseRules.instructor(request, otherwise: use?.id ?? .timeOrdered())
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                let stored = try await courses.insert(wanted, transaction)
                guard stored == wanted else { throw Self.exists("an instructor with this id") }
                var response = ScheduleV1.CreateInstructorResponse()
                response.instructor = ScheduleV1.Instructor(stored)
                return response
            }
        }
    }

    public func createRoom(
        _ request: ScheduleV1.CreateRoomRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.CreateRoomResponse {
        let use = try use(request.idempotencyKey, request, context)
        let wanted = try CourseRules.room(request, otherwise: use?.id ?? .timeOrdered())
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                let stored = try await courses.insert(wanted, transaction)
                guard stored == wanted else { throw Self.exists("a room with this id") }
                var response = ScheduleV1.CreateRoomResponse()
                response.room = ScheduleV1.Room(stored)
                return response
            }
        }
    }

    public func createClassSchedules(
        _ request: ScheduleV1.CreateClassSchedulesRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.CreateClassSchedulesResponse {
        let use = try use(request.idempotencyKey, request, context)
        let new = try NewClassSchedules(request, otherwise: use?.id)
        let completion = completion(use)
        return try await DomainError.mapping {
            let course = try await known(new.course)
            return try await completion.run {
                try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                    let wanted = new.schedules(of: course)
                    try await schedules.insert(
                        wanted, by: context.principal.actor, at: clock.now(), transaction)
                    var response = ScheduleV1.CreateClassSchedulesResponse()
                    response.schedules = wanted.map { ScheduleV1.ClassSchedule($0) }
                    return response
                }
            } _: {
                try await completion.schedules($0) {
                    $0.schedules.compactMap { UUID($0.id) }
                } leavingOut: { told, skipped in
                    told.schedules.removeAll { UUID($0.id).map(skipped.ids.contains) ?? false }
                }
            }
        }
    }

    public func generateSeries(
        _ request: ScheduleV1.GenerateSeriesRequest, _ context: ServerContext
    ) async throws -> ScheduleV1.GenerateSeriesResponse {
        let use = request.dryRun ? nil : try use(request.idempotencyKey, request, context)
        let order = try SeriesOrder(request, otherwise: use?.id ?? .timeOrdered())
        let key = try CourseKey(request.courseId)
        let completion = completion(use)
        return try await DomainError.mapping {
            let course = try await known(key)
            guard let zone = zones.zone(course.timeZone) else {
                throw DomainError(
                    .internal, "the time zone of the course is not known here", blame: .us,
                    cause: course.timeZone)
            }
            let plan = try order.plan(in: zone)
            let wanted = order.schedules(plan, of: course)
            var response = order.response(plan, wanted, zone)
            if order.isDryRun {
                let skipped = try await publication.rehearse(
                    try await schedules.preview(wanted, of: course))
                order.leaveOut(skipped, of: &response, plan, wanted)
                return response
            }
            let full = response
            return try await completion.run {
                try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                    try await schedules.insert(
                        wanted, skippingConflicts: order.skipsConflicts,
                        by: context.principal.actor, at: clock.now(), transaction)
                    return full
                }
            } _: {
                try await completion.schedules($0) {
                    $0.schedules.compactMap { UUID($0.id) }
                } leavingOut: { told, skipped in
                    order.leaveOut(skipped, of: &told, plan, wanted)
                }
            }
        }
    }

    // MARK: Pieces

    private func use(
        _ key: String?, _ request: some Message, _ context: ServerContext
    ) throws(DomainError) -> IdempotencyTable.Use? {
        try IdempotencyTable.Use(checked: key, for: request, context, at: clock.now())
    }

    private func completion(_ use: IdempotencyTable.Use?) -> Completion {
        Completion(publication: publication, pool: pool, use: use)
    }

    /// A course for class schedules, which need its offering.
    private func known(_ key: CourseKey) async throws -> Course {
        guard let (course, isPublished) = try await courses.find(key) else {
            throw CourseKey.notFound
        }
        if !isPublished { try await publication.publish(course) }
        return course
    }

    private func publishedCourse(_ text: String) async throws -> Course {
        let key = try CourseKey(text)
        let found = try await DomainError.mapping { try await courses.find(key) }
        guard let found, found.isPublished else { throw CourseKey.notFound }
        return found.course
    }

    /// The words of a search. - Throws: VALIDATION_FAILED when there are too many.
    static func words(_ query: String) throws(DomainError) -> [String] {
        var rules = FieldRules()
        rules.text(query, "query", limit: 200, required: false)
        let words = query.split(whereSeparator: \.isWhitespace).map { String($0) }
        if words.count > wordLimit { rules.refuse("query", "holds more than \(wordLimit) words") }
        try rules.check()
        return words
    }

    private static func exists(_ what: String) -> DomainError {
        DomainError(.alreadyExists, "\(what) and other content exists")
    }
}
