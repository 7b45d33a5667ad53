import Domain
import Environment
import Postgres
import Schema

/// A class schedule on its way to Inventory, with what its slot and its event need.
struct UnpublishedSchedule: Sendable {
    let schedule: ClassSchedule
    let courseCode: String
    let instructor: BookingV1.NamedResource?
    let room: BookingV1.NamedResource?
    let batch: UUID
    let createdBy: String
    /// What is in conflict is left out, instead of refusing the batch.
    let skipsConflicts: Bool
}

/// The SQL of class schedules. What was stored together has one batch and is published together.
struct ClassScheduleStore: Sendable {
    let pool: PostgresPool

    /// Answers beyond this must be narrowed by the caller.
    static let listLimit = 5000

    private static let columns: SQL = """
        s.id, s.course_id, s.instructor_id, s.room_id, s.resource_ids, s.start_time, s.end_time,
        s.capacity, s.price, s.series_id
        """

    private static func read(_ row: PostgresRow) throws -> ClassSchedule {
        ClassSchedule(
            id: try row[0], courseID: try row[1], instructorID: try row[2], roomID: try row[3],
            resourceIDs: try row[4], startsAt: try row[5], endsAt: try row[6],
            capacity: try row[7], price: try row[8], seriesID: try row[9])
    }

    /// Published class schedules, withdrawn ones left out, that touch the time from `from` to `to`; one more than
    /// ``listLimit`` when there are more.
    func list(course: UUID, from: Instant?, to: Instant?) async throws -> [ClassSchedule] {
        try await pool.query(
            """
            select \(Self.columns) from class_schedules s
            where s.course_id = \(course) and s.published_at is not null
              and s.withdrawn_at is null and s.end_time > coalesce(\(nullable: from), '-infinity')
              and s.start_time < coalesce(\(nullable: to), 'infinity')
            order by s.start_time, s.id limit \(Self.listLimit + 1)::int
            """
        ).map(Self.read)
    }

    /// Stores what is not there yet, all or nothing.
    /// - Throws: ALREADY_EXISTS when an id stands for something else, INSTRUCTOR_NOT_FOUND,
    ///   ROOM_NOT_FOUND.
    func insert(
        _ schedules: [ClassSchedule], skippingConflicts: Bool = false, by actor: String,
        at now: Instant, _ transaction: PostgresTransaction
    ) async throws {
        let ids = schedules.map(\.id)
        let batch = UUID.timeOrdered(now)
        let values: [SQL] = schedules.map {
            """
            (\($0.id), \($0.courseID), \(nullable: $0.instructorID), \(nullable: $0.roomID),
             \($0.resourceIDs), \($0.startsAt), \($0.endsAt), \($0.capacity)::int,
             \(nullable: $0.price)::bigint, \(nullable: $0.seriesID), \(skippingConflicts),
             \(batch), \(actor), \(now))
            """
        }
        try await Self.requireStaff(schedules, transaction)
        let rows = try await transaction.batch([
            """
            insert into class_schedules (id, course_id, instructor_id, room_id, resource_ids,
                start_time, end_time, capacity, price, series_id, skip_conflicts, batch,
                created_by, created_at)
            values \(values.joined())
            on conflict (id) do nothing
            """,
            "select \(Self.columns) from class_schedules s where s.id = any(\(ids))",
        ])[1]
        let stored = Set(try rows.map(Self.read))
        guard stored == Set(schedules) else {
            throw DomainError(
                .alreadyExists, "a class schedule with this id and other content exists")
        }
    }

    /// The same schedules as Inventory would be given them, without storing anything.
    func preview(_ schedules: [ClassSchedule], of course: Course) async throws
        -> [UnpublishedSchedule]
    {
        let (instructors, rooms) = try await pool.transaction { transaction in
            try await Self.requireStaff(schedules, transaction)
        }
        return schedules.map { schedule in
            UnpublishedSchedule(
                schedule: schedule, courseCode: course.code,
                instructor: schedule.instructorID.flatMap { id in
                    instructors[id].map { Self.named(id, $0) }
                },
                room: schedule.roomID.flatMap { id in rooms[id].map { Self.named(id, $0) } },
                batch: schedule.id, createdBy: "", skipsConflicts: true)
        }
    }

    private static func named(_ id: UUID, _ name: String) -> BookingV1.NamedResource {
        var resource = BookingV1.NamedResource()
        (resource.id, resource.name) = (id.description, name)
        return resource
    }

    /// Their names.
    /// - Throws: INSTRUCTOR_NOT_FOUND, ROOM_NOT_FOUND.
    @discardableResult
    private static func requireStaff(
        _ schedules: [ClassSchedule], _ transaction: PostgresTransaction
    ) async throws -> (instructors: [UUID: String], rooms: [UUID: String]) {
        let instructors = Set(schedules.compactMap(\.instructorID))
        let rooms = Set(schedules.compactMap(\.roomID))
        let found = try await transaction.batch([
            "select id, name from instructors where id = any(\(instructors.sorted()))",
            "select id, name from rooms where id = any(\(rooms.sorted()))",
        ])
        guard found[0].count == instructors.count else {
            throw DomainError(.instructorNotFound, "there is no such instructor")
        }
        guard found[1].count == rooms.count else {
            throw DomainError(.roomNotFound, "there is no such room")
        }
        func names(_ rows: PostgresRows) throws -> [UUID: String] {
            Dictionary(
                try rows.map { (try $0[0], try $0[1]) }, uniquingKeysWith: { first, _ in first })
        }
        return (try names(found[0]), try names(found[1]))
    }

    // MARK: Publishing

    /// Which of these Inventory may not have yet, in order of time; and which it has.
    func state(
        of ids: [UUID], _ transaction: PostgresTransaction
    ) async throws -> (open: [UnpublishedSchedule], published: Set<UUID>) {
        let results = try await transaction.batch([
            Self.unpublished(where: "s.id = any(\(ids))"),
            """
            select id from class_schedules
            where id = any(\(ids)) and published_at is not null
            """,
        ])
        return (try results[0].map(Self.readUnpublished), Set(try results[1].map { try $0[0] }))
    }

    /// The rest of batches whose publishing did not come to an end.
    func unpublished(in batch: UUID) async throws -> [UnpublishedSchedule] {
        try await pool.query(Self.unpublished(where: "s.batch = \(batch)"))
            .map(Self.readUnpublished)
    }

    func unpublishedBatches(before: Instant, limit: Int) async throws -> [UUID] {
        try await pool.query(
            """
            select batch from class_schedules
            where published_at is null and created_at < \(before)
            group by batch order by min(created_at) limit \(limit)::int
            """
        ).map { try $0[0] }
    }

    private static func unpublished(where condition: SQL) -> SQL {
        """
        select \(columns), c.code, i.name, r.name, s.batch, s.created_by, s.skip_conflicts
        from class_schedules s join courses c on c.id = s.course_id
        left join instructors i on i.id = s.instructor_id
        left join rooms r on r.id = s.room_id
        where s.published_at is null and \(condition)
        order by s.start_time, s.id
        """
    }

    private static func readUnpublished(_ row: PostgresRow) throws -> UnpublishedSchedule {
        let schedule = try read(row)
        let (instructor, room): (String?, String?) = (try row[11], try row[12])
        return UnpublishedSchedule(
            schedule: schedule, courseCode: try row[10],
            instructor: schedule.instructorID.map { named($0, instructor ?? "") },
            room: schedule.roomID.map { named($0, room ?? "") }, batch: try row[13],
            createdBy: try row[14], skipsConflicts: try row[15])
    }

    /// Marks them and stores their events; what is marked already keeps its event.
    /// - Returns: false when one of them has been taken back in the meantime.
    func markPublished(
        _ schedules: [UnpublishedSchedule], at now: Instant, _ transaction: PostgresTransaction
    ) async throws -> Bool {
        let ids = schedules.map(\.schedule.id)
        let marked = Set(
            try await transaction.query(
                """
                update class_schedules set published_at = \(now)
                where id = any(\(ids)) and published_at is null returning id
                """
            ).map { row in try row[0] as UUID })
        let events = schedules.filter { marked.contains($0.schedule.id) }
            .map { ScheduleEvents.created($0, at: now) }
        if !events.isEmpty { try await transaction.execute(Outbox.insert(events)) }
        let there: Int = try await transaction.query(
            "select count(*) from class_schedules where id = any(\(ids))"
        ).single()[0]
        return there == ids.count
    }

    /// Takes back class schedules that Inventory has refused.
    static func removeUnpublished(_ ids: [UUID]) -> SQL {
        "delete from class_schedules where id = any(\(ids)) and published_at is null"
    }
}
