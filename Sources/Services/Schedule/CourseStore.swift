import Domain
import Environment
import Postgres

/// The SQL of courses, instructors and rooms. Others see a course once it is published.
struct CourseStore: Sendable {
    let pool: PostgresPool

    private static let columns: SQL = """
        c.id, c.code, c.title, c.description, c.max_students, c.claim_at, c.time_zone,
        c.location_id, c.policy, c.price, c.currency, c.kind
        """

    private static func read(_ row: PostgresRow) throws -> Course {
        Course(
            id: try row[0], code: try row[1], title: try row[2], description: try row[3],
            maxStudents: try row[4],
            claimAt: Course.ClaimPolicy(rawValue: try row[5]) ?? .assign, timeZone: try row[6],
            locationID: try row[7], policy: try row[8], price: try row[9], currency: try row[10],
            kind: try row[11])
    }

    // MARK: Courses

    /// Published courses that hold every word, by code.
    func list(words: [String]) async throws -> [Course] {
        try await pool.query(
            """
            select \(Self.columns) from courses c
            where c.published_at is not null
              and not exists (
                select from unnest(\(words)) word
                where strpos(lower(c.code || ' ' || c.title || ' ' || c.description),
                    lower(word)) = 0)
            order by c.code
            """
        ).map(Self.read)
    }

    /// A course with whether Inventory has it.
    func find(
        _ key: CourseKey, _ transaction: PostgresTransaction? = nil
    ) async throws -> (course: Course, isPublished: Bool)? {
        let condition: SQL =
            switch key {
            case .id(let id): "c.id = \(id)"
            case .code(let code): "c.code = \(code)"
            }
        let sql: SQL = """
            select \(Self.columns), c.published_at is not null from courses c where \(condition)
            """
        let rows =
            if let transaction { try await transaction.query(sql) } else {
                try await pool.query(sql)
            }
        let row = rows.first
        return try row.map { (try Self.read($0), try $0[12]) }
    }

    /// Stores a course that is not published yet.
    /// - Returns: false when the id or the code is there already.
    /// - Throws: VALIDATION_FAILED for a time zone that PostgreSQL does not know.
    func insert(
        _ course: Course, at now: Instant, _ transaction: PostgresTransaction
    ) async throws -> Bool {
        do {
            // `at time zone` refuses unknown zones, and its result is always true.
            return try await transaction.execute(
                """
                insert into courses (id, code, title, description, max_students, claim_at,
                    time_zone, location_id, policy, price, currency, kind, created_at)
                select \(course.id), \(course.code), \(course.title), \(course.description),
                    \(course.maxStudents)::int, \(course.claimAt.rawValue), \(course.timeZone),
                    \(nullable: course.locationID), \(course.policy), \(course.price)::bigint,
                    \(course.currency), \(course.kind), \(now)
                where \(now) at time zone \(course.timeZone) is not null
                on conflict do nothing
                """) == 1
        } catch let error as PostgresError
            where error.sqlState == SQLState(rawValue: "22023")
        {
            var rules = FieldRules()
            rules.refuse("time_zone", "is not an IANA time zone")
            try rules.check()
            return false
        }
    }

    /// Changes what may change.
    static func update(_ course: Course) -> SQL {
        """
        update courses set title = \(course.title), description = \(course.description),
            max_students = \(course.maxStudents), time_zone = \(course.timeZone),
            location_id = \(nullable: course.locationID), policy = \(course.policy),
            price = \(course.price), currency = \(course.currency)
        where id = \(course.id)
        """
    }

    /// Changes one row, unless the course has been taken back.
    static func markPublished(_ course: UUID) -> SQL {
        """
        update courses set published_at = coalesce(published_at, clock_timestamp())
        where id = \(course)
        """
    }

    /// Takes back a course that Inventory has refused.
    static func removeUnpublished(_ course: UUID) -> SQL {
        "delete from courses where id = \(course) and published_at is null"
    }

    /// Courses whose publishing did not come to an end, oldest first.
    func unpublished(before: Instant, limit: Int) async throws -> [Course] {
        try await pool.query(
            """
            select \(Self.columns) from courses c
            where c.published_at is null and c.created_at < \(before)
            order by c.created_at limit \(limit)::int
            """
        ).map(Self.read)
    }

    // MARK: Instructors and rooms

    func instructors() async throws -> [Instructor] {
        try await pool.query("select id, name from instructors order by name, id").map { row in
            Instructor(id: try row[0], name: try row[1])
        }
    }

    func rooms() async throws -> [Room] {
        try await pool.query("select id, name, capacity from rooms order by name, id").map { row in
            Room(id: try row[0], name: try row[1], capacity: try row[2])
        }
    }

    /// Stores an instructor. - Returns: the one that is there under this id afterwards.
    func insert(
        _ instructor: Instructor, _ transaction: PostgresTransaction
    ) async throws -> Instructor {
        let row = try await transaction.batch([
            """
            insert into instructors (id, name) values (\(instructor.id), \(instructor.name))
            on conflict do nothing
            """,
            "select id, name from instructors where id = \(instructor.id)",
        ])[1].single()
        return Instructor(id: try row[0], name: try row[1])
    }

    /// Stores a room. - Returns: the one that is there under this id afterwards.
    func insert(_ room: Room, _ transaction: PostgresTransaction) async throws -> Room {
        let row = try await transaction.batch([
            """
            insert into rooms (id, name, capacity)
            values (\(room.id), \(room.name), \(room.capacity)::int) on conflict do nothing
            """,
            "select id, name, capacity from rooms where id = \(room.id)",
        ])[1].single()
        return Room(id: try row[0], name: try row[1], capacity: try row[2])
    }
}
