import Domain
import Environment
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Schedule

/// The service behind a router, on a database of its own, with an Inventory in the same process.
struct Fixture {
    static let loop = EventLoop(name: "schedule-tests")
    static let start = Instant(microseconds: 1_764_633_600_000_000)

    let database: String
    let pool: PostgresPool
    let inventory = FakeInventory()
    let service: ScheduleService
    let client: ScheduleV1.ScheduleClient
    let publisher: SchedulePublisher

    init(_ name: String) async throws {
        database = "\(name)_\(UInt32.random(in: 0 ... .max))"
        let url = try await PostgresCluster.sharedDatabase(database)
        let logger = Logger(label: "test", sink: LogCapture().sink)
        let owner = PostgresPool(
            configuration: .patient(url), loop: Self.loop, logger: logger,
            metrics: Metrics())
        try await Migrator(owner, schema: "schedule", logger: logger).apply(ScheduleMigrations.all)
        await owner.close()
        pool = PostgresPool(
            configuration: .patient(url).forService("schedule"),
            loop: Self.loop, logger: logger, metrics: Metrics())
        let remote = Router(logger: logger)
        remote.register(inventory)
        remote.register(FakeCatalogue())
        let channel = InProcessChannel(router: remote, loop: Self.loop)
        let router = Router(interceptors: [AsAdmin()], logger: logger)
        service = ScheduleService(
            pool: pool, inventory: channel, clock: .system, defaultTimeZone: "Asia/Jakarta",
            committed: {})
        router.register(service)
        client = ScheduleV1.ScheduleClient(InProcessChannel(router: router, loop: Self.loop))
        publisher = SchedulePublisher(
            pool: pool, inventory: channel, loop: Self.loop, grace: .zero, logger: logger,
            committed: {})
    }

    func course(
        _ code: String = "PIANO-101", id: UUID? = nil,
        _ change: (inout ScheduleV1.CreateCourseRequest) -> Void = { _ in }
    ) -> ScheduleV1.CreateCourseRequest {
        var request = ScheduleV1.CreateCourseRequest()
        request.id = id?.description
        request.code = code
        request.title = "Piano Dasar"
        request.description = "Untuk pemula, 100% praktik"
        request.maxStudents = 4
        request.claimAt = .publish
        change(&request)
        return request
    }

    /// An instructor and a room.
    func staff() async throws -> (instructor: String, room: String) {
        var instructor = ScheduleV1.CreateInstructorRequest()
        instructor.name = "Ibu Sari"
        var room = ScheduleV1.CreateRoomRequest()
        room.name = "Ruang 1"
        room.capacity = 6
        return (
            try await client.createInstructor(instructor).instructor?.id ?? "",
            try await client.createRoom(room).room?.id ?? ""
        )
    }

    func schedules(
        _ course: String, _ staff: (instructor: String, room: String), count: Int = 1
    ) -> ScheduleV1.CreateClassSchedulesRequest {
        var request = ScheduleV1.CreateClassSchedulesRequest()
        request.courseId = course
        request.schedules = (0..<count).map { index in
            var schedule = ScheduleV1.NewClassSchedule()
            schedule.id = UUID.random().description
            schedule.instructorId = staff.instructor
            schedule.roomId = staff.room
            let start = Self.start + .seconds(3600) * index
            schedule.startTime = GoogleProtobuf.Timestamp(start)
            schedule.endTime = GoogleProtobuf.Timestamp(start + .seconds(3600))
            return schedule
        }
        return request
    }

    func list(_ course: String) async throws -> [ScheduleV1.ClassSchedule] {
        var request = ScheduleV1.ListClassSchedulesRequest()
        request.courseId = course
        return try await client.listClassSchedules(request).schedules
    }

    func count(_ sql: SQL) async throws -> Int { try await pool.query(sql).single()[0] }
}

/// Every call comes from one admin.
struct AsAdmin: ServerInterceptor {
    func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        call.context[PrincipalKey.self] = .admin(id: "7")
        try await next(call)
    }
}

/// The status of a call that must fail.
func refusal(
    _ location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async -> RPCError {
    do {
        try await body()
    } catch {
        return RPCError(wrapping: error)
    }
    Issue.record("nothing was thrown", sourceLocation: location)
    return RPCError(.ok, "nothing was thrown")
}
