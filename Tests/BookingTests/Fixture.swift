import Domain
import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

/// Suites that need a server, one test at a time: they race against themselves, not each other.
@Suite(.serialized) enum ServerTests {}

/// The services on a migrated database of their own, called directly.
struct Fixture {
    static let loop = EventLoop(name: "booking-tests")
    static let tokens = BookingTokens(secret: [UInt8](repeating: 7, count: 32))

    let name: String
    let url: String
    let pool: PostgresPool
    let bookings: BookingService
    let inventory: InventoryService
    let catalogue: CatalogueService
    let availability: AvailabilityService
    let feed: AvailabilityFeed
    /// How often a service said that there are new events.
    let pokes = Count()

    let piano = UUID.random()
    let choir = UUID.random()

    /// - Parameter name: of the database, one for each test.
    init(
        _ name: String, poolSize: Int = 8, kafka: String = "127.0.0.1:1",
        captcha: any CaptchaVerifier = NoCaptcha(), clock: Clock = .system,
        committed: @escaping @Sendable () -> Void = {}
    ) async throws {
        self.name = name
        url = try PostgresCluster.shared().database(named: "booking_\(name)")
        let logger = Logger(label: "test", sink: LogCapture().sink)
        let owner = PostgresPool(
            configuration: PostgresConfiguration(url: url), loop: Self.loop, logger: logger)
        try await Migrator(owner, schema: "booking", logger: logger).apply(BookingMigrations.all)
        await owner.close()
        var configuration = PostgresConfiguration(url: url).forService("booking")
        configuration.poolSize = poolSize
        configuration.acquireTimeout = .seconds(60)
        configuration.defaultQueryTimeout = .seconds(60)
        pool = PostgresPool(
            configuration: configuration, loop: Self.loop, logger: logger, metrics: Metrics())
        let poke: @Sendable () -> Void = { [pokes] in
            pokes.add()
            committed()
        }
        bookings = BookingService(
            pool: pool, clock: clock, captcha: captcha, tokens: Self.tokens, committed: poke)
        inventory = InventoryService(pool: pool, clock: clock, committed: poke)
        catalogue = CatalogueService(pool: pool, clock: clock, committed: poke)
        feed = AvailabilityFeed(
            pool: pool, kafka: .init(brokers: kafka), loop: Self.loop, logger: logger,
            metrics: Metrics())
        availability = AvailabilityService(pool: pool, feed: feed, clock: clock)
        try await publish(piano, "PIANO-101", .assign)
        try await publish(choir, "CHOIR-1", .publish)
    }

    // MARK: What there is to book

    func publish(
        _ course: UUID, _ code: String, _ claimAt: BookingV1.ClaimPolicy, policy: String = "",
        location: UUID? = nil
    ) async throws {
        var request = BookingV1.PublishOfferingRequest()
        var offering = BookingV1.Offering()
        offering.id = course.description
        offering.code = code
        offering.title = "Course \(code)"
        offering.claimAt = claimAt
        offering.policy = policy
        offering.locationId = location?.description
        offering.timeZone = "Asia/Jakarta"
        request.offering = offering
        _ = try await inventory.publishOffering(
            request, Self.service(BookingV1.InventoryMethods.publishOffering))
    }

    @discardableResult
    func publish(_ slots: [SlotPlan], of course: UUID? = nil) async throws
        -> BookingV1.PublishSlotsResponse
    {
        var request = BookingV1.PublishSlotsRequest()
        request.courseId = (course ?? piano).description
        request.slots = slots.map(\.message)
        return try await inventory.publishSlots(
            request, Self.service(BookingV1.InventoryMethods.publishSlots))
    }

    func publish(_ slots: [BookingV1.SlotPublication]) async throws {
        var request = BookingV1.PublishSlotsRequest()
        request.courseId = piano.description
        request.slots = slots
        _ = try await inventory.publishSlots(
            request, Self.service(BookingV1.InventoryMethods.publishSlots))
    }

    /// Saves the policy `test`: a school's, changed.
    @discardableResult
    func policy(
        _ change: (inout BookingV1.Policy) -> Void
    ) async throws -> BookingV1.Policy? {
        var request = BookingV1.SavePolicyRequest()
        var policy = BookingV1.Policy()
        (policy.code, policy.entry, policy.payment) = ("test", .request, .manual)
        change(&policy)
        request.policy = policy
        return try await catalogue.savePolicy(
            request, Self.admin(BookingV1.CatalogueMethods.savePolicy)
        ).policy
    }

    func save(_ resource: UUID, _ kind: String, _ name: String) async throws {
        var request = BookingV1.SaveResourceRequest()
        var message = BookingV1.Resource()
        (message.id, message.kind, message.name) = (resource.description, kind, name)
        request.resource = message
        _ = try await catalogue.saveResource(
            request, Self.admin(BookingV1.CatalogueMethods.saveResource))
    }

    func blocking(
        _ resource: UUID, _ from: Instant, _ to: Instant, id: String? = nil
    ) async throws -> BookingV1.Block {
        var request = BookingV1.BlockResourceRequest()
        (request.id, request.resourceId) = (id, resource.description)
        request.startTime = .init(from)
        request.endTime = .init(to)
        request.reason = "repair"
        return try await catalogue.blockResource(
            request, Self.admin(BookingV1.CatalogueMethods.blockResource)
        ).block ?? .init()
    }

    /// Nil when the resource is occupied.
    func block(
        _ resource: UUID, _ from: Instant, _ to: Instant, id: String? = nil
    ) async throws -> BookingV1.Block? {
        do {
            return try await blocking(resource, from, to, id: id)
        } catch let error as DomainError where error.code == .scheduleConflict {
            return nil
        }
    }

    func update(
        _ slot: SlotPlan, _ change: (inout BookingV1.UpdateSlotRequest) -> Void
    ) async throws -> BookingV1.Slot {
        var request = BookingV1.UpdateSlotRequest()
        request.slotId = slot.id.description
        change(&request)
        return try await catalogue.updateSlot(
            request, Self.admin(BookingV1.CatalogueMethods.updateSlot)
        ).slot ?? .init()
    }

    // MARK: Calls

    static func admin(_ method: MethodDescriptor) -> ServerContext {
        let context = ServerContext(method: method)
        context[PrincipalKey.self] = .admin(id: "7")
        return context
    }

    static func service(_ method: MethodDescriptor) -> ServerContext {
        let context = ServerContext(method: method)
        context[PrincipalKey.self] = .service(name: "schedule")
        return context
    }

    @discardableResult
    func register(
        _ request: BookingV1.RegisterCourseRequest
    ) async throws -> BookingV1.RegisterCourseResponse {
        try await bookings.registerCourse(
            request, ServerContext(method: BookingV1.BookingsMethods.registerCourse))
    }

    /// A stored request for `piano`.
    func request(
        _ email: String = "\(UUID.random())@example.com", _ first: SlotPlan? = nil,
        _ second: SlotPlan? = nil, _ course: UUID? = nil
    ) async throws -> BookingV1.Booking {
        let answer = try await register(
            form(email, course ?? piano, first?.id, second?.id))
        return try #require(answer.booking)
    }

    @discardableResult
    func confirm(
        _ id: String, _ change: (inout BookingV1.ConfirmRequest) -> Void = { _ in }
    ) async throws -> BookingV1.ConfirmResponse {
        var request = BookingV1.ConfirmRequest()
        request.bookingId = id
        change(&request)
        return try await bookings.confirm(
            request, Self.admin(BookingV1.BookingsMethods.confirm))
    }

    @discardableResult
    func assign(
        _ id: String, _ slot: SlotPlan,
        _ change: (inout BookingV1.AssignSlotRequest) -> Void = {
            _ in
        }
    ) async throws -> BookingV1.AssignSlotResponse {
        var request = BookingV1.AssignSlotRequest()
        request.bookingId = id
        request.scheduleId = slot.id.description
        change(&request)
        return try await bookings.assignSlot(
            request, Self.admin(BookingV1.BookingsMethods.assignSlot))
    }

    func assign(_ id: String, _ slot: String) async throws {
        var request = BookingV1.AssignSlotRequest()
        (request.bookingId, request.scheduleId, request.reason) = (id, slot, "test")
        _ = try await bookings.assignSlot(
            request, Self.admin(BookingV1.BookingsMethods.assignSlot))
    }

    @discardableResult
    func reject(
        _ id: String, _ change: (inout BookingV1.RejectRequest) -> Void = { _ in }
    ) async throws -> BookingV1.RejectResponse {
        var request = BookingV1.RejectRequest()
        request.bookingId = id
        request.reason = "no place"
        change(&request)
        return try await bookings.reject(request, Self.admin(BookingV1.BookingsMethods.reject))
    }

    @discardableResult
    func cancel(
        _ id: String, _ change: (inout BookingV1.CancelRequest) -> Void = { _ in }
    ) async throws -> BookingV1.CancelResponse {
        var request = BookingV1.CancelRequest()
        request.bookingId = id
        request.reason = "moved away"
        change(&request)
        return try await bookings.cancel(request, Self.admin(BookingV1.BookingsMethods.cancel))
    }

    func find(
        _ change: (inout BookingV1.FindSlotsRequest) -> Void = { _ in }
    ) async throws -> BookingV1.FindSlotsResponse {
        var request = BookingV1.FindSlotsRequest()
        change(&request)
        return try await availability.findSlots(
            request, ServerContext(method: BookingV1.AvailabilityMethods.findSlots))
    }

    /// A booking that has been confirmed and waits for a slot.
    func confirmed(_ first: SlotPlan? = nil, _ second: SlotPlan? = nil) async throws -> String {
        let booking = try await request("\(UUID.random())@example.com", first, second)
        try await confirm(booking.id)
        return booking.id
    }

    // MARK: Looking

    func number(_ sql: SQL) async throws -> Int { try await pool.query(sql).single()[0] }

    func text(_ sql: SQL) async throws -> String { try await pool.query(sql).single()[0] }

    /// What must be so whatever has happened.
    func check(
        _ invariants: [KernelInvariants.Invariant], _ location: SourceLocation = #_sourceLocation
    ) async throws {
        for (what, sql) in invariants {
            let wrong = try await number("\(unescaped: sql)")
            #expect(wrong == 0, "\(what)", sourceLocation: location)
        }
    }

    func taken(_ slot: SlotPlan) async throws -> Int {
        try await number("select taken from slot where id = \(slot.id)")
    }

    func claims(_ slot: SlotPlan) async throws -> Int {
        try await number("select count(*) from claim where slot_id = \(slot.id)")
    }

    /// The events of the outbox, oldest first.
    func events(after id: Int = 0) async throws -> [(topic: String, body: String)] {
        try await pool.query("select topic, body from outbox where id > \(id) order by id")
            .map { (try $0[0], try $0[1]) }
    }

    func lastEvent() async throws -> Int {
        try await number("select coalesce(max(id), 0) from outbox")
    }

    /// Lets a pending request lapse.
    func lapse(_ id: String) async throws {
        try await pool.execute(
            """
            update booking set expires_at = clock_timestamp() - interval '1 second'
            where id = \(unescaped: "'\(id)'")
            """)
    }
}

/// A slot that a test publishes.
struct SlotPlan: Sendable {
    var id = UUID.random()
    var instructor: UUID
    var room: UUID
    var start: Instant
    var minutes = 60
    var capacity = 1

    /// Days from now; all slots of one test run share the same midnight.
    static let origin = Instant(
        microseconds: Instant.now().microseconds / 3_600_000_000 * 3_600_000_000)

    init(
        _ instructor: UUID, _ room: UUID, day: Int = 1, hour: Int = 9, minute: Int = 0,
        minutes: Int = 60, capacity: Int = 1
    ) {
        self.instructor = instructor
        self.room = room
        start = Self.origin + .seconds((day * 24 + hour) * 3600 + minute * 60)
        self.minutes = minutes
        self.capacity = capacity
    }

    var end: Instant { start + .seconds(minutes * 60) }

    var message: BookingV1.SlotPublication {
        var slot = BookingV1.SlotPublication()
        slot.id = id.description
        slot.instructor = BookingV1.NamedResource()
        slot.instructor?.id = instructor.description
        slot.instructor?.name = "Instructor"
        slot.room = BookingV1.NamedResource()
        slot.room?.id = room.description
        slot.room?.name = "Room"
        slot.startTime = GoogleProtobuf.Timestamp(start)
        slot.endTime = GoogleProtobuf.Timestamp(end)
        slot.capacity = Int32(capacity)
        return slot
    }
}

/// A form with every field of A-02 filled in.
func form(
    _ email: String = "ani@example.com", _ course: UUID = .random(), _ first: UUID? = nil,
    _ second: UUID? = nil
) -> BookingV1.RegisterCourseRequest {
    var request = BookingV1.RegisterCourseRequest()
    request.fullName = "Ani Wijaya"
    request.email = email
    request.courseId = course.description
    request.address = "Jalan Mawar 1, Bandung"
    request.birthPlace = "Bandung"
    request.birthDate = "2012-05-17"
    request.school = "SD 1"
    request.`class` = 6
    request.guardianName = "Budi Wijaya"
    request.guardianWaNumber = "+6281234567890"
    request.consent = true
    request.captchaToken = "token"
    request.idempotencyKey = UUID.random().description
    request.experienceLevel = "beginner"
    request.preferredDays = ["monday", "friday"]
    var range = BookingV1.TimeRange()
    range.start = "15:00"
    range.end = "17:30"
    request.preferredTimeRange = range
    request.firstChoiceSlotId = first?.description
    request.secondChoiceSlotId = second?.description
    return request
}

/// The refusal of a call that must fail.
func refusal(
    _ location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async -> DomainError {
    do {
        try await body()
    } catch let error as DomainError {
        return error
    } catch {
        Issue.record("\(error) is no DomainError", sourceLocation: location)
        return DomainError(.internal, "\(error)")
    }
    Issue.record("nothing was thrown", sourceLocation: location)
    return DomainError(.unspecified, "nothing was thrown")
}

extension DomainError {
    /// The first detail of this type.
    func detail<M: Message>(_ type: M.Type) throws -> M? {
        let url = "type.googleapis.com/\(type.schema.fullName)"
        return try details.first { $0.typeURL == url }.map { try M(decoding: $0.value) }
    }
}

/// Runs `body` for every number at the same time and returns how each ended.
func allAtOnce<T: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) async throws -> T
) async -> [Result<T, any Error>] {
    await withTaskGroup(of: Result<T, any Error>.self) { group in
        for index in 0..<count {
            group.addTask(executorPreference: Fixture.loop) {
                do {
                    return .success(try await body(index))
                } catch {
                    return .failure(error)
                }
            }
        }
        return await group.reduce(into: []) { $0.append($1) }
    }
}

extension Result where Failure == any Error {
    var refusal: DomainError? {
        if case .failure(let error) = self { error as? DomainError } else { nil }
    }
    var value: Success? { try? get() }
}
