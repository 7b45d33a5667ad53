import Domain
import Environment
import Postgres
import Schema

/// A class schedule on its way to Inventory, with what its slot and its event need.
struct UnpublishedSchedule: Sendable {
    let schedule: ClassSchedule
    let courseCode: String
    let instructorName: String
    let roomName: String
    let batch: UUID
    let createdBy: String
}

/// The SQL of class schedules. What was stored together has one batch and is published together.
struct ClassScheduleStore: Sendable {
    let pool: PostgresPool

    /// Answers beyond this must be narrowed by the caller.
    static let listLimit = 5000

    private static let columns: SQL =
        "s.id, s.course_id, s.instructor_id, s.room_id, s.start_time, s.end_time, s.capacity"

    private static func read(_ row: PostgresRow) throws -> ClassSchedule {
        ClassSchedule(
            id: try row[0], courseID: try row[1], instructorID: try row[2], roomID: try row[3],
            startsAt: try row[4], endsAt: try row[5], capacity: try row[6])
    }

    /// Published class schedules that touch the time from `from` to `to`; one more than
    /// ``listLimit`` when there are more.
    func list(course: UUID, from: Instant?, to: Instant?) async throws -> [ClassSchedule] {
        try await pool.query(
            """
            select \(Self.columns) from class_schedules s
            where s.course_id = \(course) and s.published_at is not null
              and s.end_time > coalesce(\(nullable: from), '-infinity')
              and s.start_time < coalesce(\(nullable: to), 'infinity')
            order by s.start_time, s.id limit \(Self.listLimit + 1)::int
            """
        ).map(Self.read)
    }

    /// Stores what is not there yet, all or nothing.
    /// - Throws: ALREADY_EXISTS when an id stands for something else, INSTRUCTOR_NOT_FOUND,
    ///   ROOM_NOT_FOUND.
    func insert(_ schedules: [ClassSchedule], by actor: String, at now: Instant) async throws {
        let ids = schedules.map(\.id)
        try await pool.transaction { transaction in
            try await Self.requireStaff(schedules, transaction)
            let rows = try await transaction.batch([
                """
                insert into class_schedules (id, course_id, instructor_id, room_id, start_time,
                    end_time, capacity, batch, created_by, created_at)
                select n.*, \(UUID.timeOrdered(now)), \(actor), \(now)
                from unnest(\(ids), \(schedules.map(\.courseID)),
                    \(schedules.map(\.instructorID)), \(schedules.map(\.roomID)),
                    \(schedules.map(\.startsAt)), \(schedules.map(\.endsAt)),
                    \(schedules.map(\.capacity))::int[]) n
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
    }

    private static func requireStaff(
        _ schedules: [ClassSchedule], _ transaction: PostgresTransaction
    ) async throws {
        let instructors = Array(Set(schedules.map(\.instructorID))).sorted()
        let rooms = Array(Set(schedules.map(\.roomID))).sorted()
        let found = try await transaction.query(
            """
            select (select count(*) from instructors where id = any(\(instructors))),
                (select count(*) from rooms where id = any(\(rooms)))
            """
        ).single()
        guard try found[0] == instructors.count else {
            throw DomainError(.instructorNotFound, "there is no such instructor")
        }
        guard try found[1] == rooms.count else {
            throw DomainError(.roomNotFound, "there is no such room")
        }
    }

    // MARK: Publishing

    /// Which of these Inventory may not have yet, in order of time.
    func unpublished(among ids: [UUID]) async throws -> [UnpublishedSchedule] {
        try await unpublished(where: "s.id = any(\(ids))")
    }

    /// The rest of batches whose publishing did not come to an end.
    func unpublished(in batch: UUID) async throws -> [UnpublishedSchedule] {
        try await unpublished(where: "s.batch = \(batch)")
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

    private func unpublished(where condition: SQL) async throws -> [UnpublishedSchedule] {
        try await pool.query(
            """
            select \(Self.columns), c.code, i.name, r.name, s.batch, s.created_by
            from class_schedules s join courses c on c.id = s.course_id
            join instructors i on i.id = s.instructor_id join rooms r on r.id = s.room_id
            where s.published_at is null and \(condition)
            order by s.start_time, s.id
            """
        ).map { row in
            UnpublishedSchedule(
                schedule: try Self.read(row), courseCode: try row[7],
                instructorName: try row[8], roomName: try row[9], batch: try row[10],
                createdBy: try row[11])
        }
    }

    /// Marks them and stores their events in one transaction; what is marked already keeps its
    /// event.
    /// - Returns: false when one of them has been taken back in the meantime.
    func markPublished(_ schedules: [UnpublishedSchedule], at now: Instant) async throws -> Bool {
        let ids = schedules.map(\.schedule.id)
        return try await pool.transaction { transaction in
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
    }

    /// Takes back class schedules that Inventory has refused.
    func removeUnpublished(_ ids: [UUID]) async throws {
        try await pool.execute(
            "delete from class_schedules where id = any(\(ids)) and published_at is null")
    }
}
