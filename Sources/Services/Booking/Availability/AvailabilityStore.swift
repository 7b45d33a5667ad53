import Domain
import Environment
import Postgres

/// Which slots are asked for.
struct SlotFilter: Sendable, Hashable {
    /// UUID or code.
    var course = ""
    /// All of them, of any kind.
    var resources: [UUID] = []
    var location: UUID?
    var from: Instant
    var to: Instant?
    var minimumSeats = 1
    var limit = 100
    var after: PageToken?
}

extension SlotFilter {
    /// As requests name it: what is empty is not asked for.
    /// - Parameter resources: each with the name of its field.
    init(
        course: String, location: String, resources: [(String, String)], from now: Instant,
        _ rules: inout FieldRules
    ) {
        self.init(from: now)
        rules.text(course, "course_id", limit: 40, required: false)
        self.course = course
        for (id, field) in resources where !id.isEmpty {
            if let id = rules.uuid(id, field) { self.resources.append(id) }
        }
        self.location = rules.optionalUUID(location.nonEmpty, "location_id")
    }
}

/// What was read, and when.
struct SlotReading: Sendable {
    var slots: [Slot]
    /// By the database's clock.
    var asOf: Instant
    /// No slot had a higher one (X-123).
    var version: Int64
}

/// The SQL of finding free slots: one query with keyset pages (X-16).
struct AvailabilityStore: Sendable {
    let pool: PostgresPool

    /// At most `limit + 1` slots, so that the caller sees whether there are more.
    func find(_ filter: SlotFilter) async throws -> SlotReading {
        try await read(Self.search(filter))
    }

    /// Slots, whatever their state, in no order.
    func slots(_ ids: [UUID]) async throws -> SlotReading {
        try await read("select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(ids))")
    }

    /// One slot, whatever its state.
    func slot(_ id: UUID) async throws -> Slot? {
        try await pool.query(
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(id)"
        ).first.map(SlotRow.read)
    }

    /// The version is read first: what is committed in between has a higher one.
    private func read(_ sql: SQL) async throws -> SlotReading {
        let results = try await pool.atomically(
            [
                SlotRow.plannedOnce, "select clock_timestamp(), last_value from slot_version", sql,
            ],
            options: TransactionOptions(isReadOnly: true))
        let stamp = try results[1].single()
        return SlotReading(
            slots: try results[2].map(SlotRow.read), asOf: try stamp[0], version: try stamp[1])
    }

    /// Free slots come from the index of open ones. Those that are full but for lapsed holds and
    /// bookings are few, and come from the indexes of what has lapsed (X-93).
    static func search(_ filter: SlotFilter) -> SQL {
        let open = page(filter, of: "slot s", "s.is_open")
        let lapsed = page(
            filter, of: "lapsed l join slot s on s.id = l.slot_id",
            "not s.is_open and s.status = 'available'")
        return """
            with lapsed as materialized (
                select h.slot_id from hold h
                where h.status = 'pending' and h.expires_at <= statement_timestamp()
                union
                select b.confirmed_slot_id from booking b
                where b.status = 'pending_payment' and b.expires_at <= statement_timestamp()),
            page as materialized (
                select u.id, u.starts_at from (\(open) union all \(lapsed)) u
                order by u.starts_at, u.id limit \(filter.limit + 1)::int)
            select \(SlotRow.columns(isBlocked: "false"))
            from page g join slot s on s.id = g.id \(SlotRow.joins)
            order by g.starts_at, g.id
            """
    }

    /// A resource is the most selective: its own index gives the order then.
    private static func page(_ filter: SlotFilter, of source: SQL, _ state: SQL) -> SQL {
        let byResource = filter.resources.first != nil
        let time: SQL = byResource ? "x.starts_at" : "s.starts_at"
        let id: SQL = byResource ? "x.slot_id" : "s.id"
        var conditions: [SQL] = [
            state, "\(time) >= \(filter.from)", "\(time) <= \(latest)", SlotRow.isBookable,
            SlotRow.isFree,
        ]
        if let first = filter.resources.first { conditions.append("x.resource_id = \(first)") }
        for other in filter.resources.dropFirst() {
            conditions.append(
                """
                exists (select from slot_resource y
                    where y.slot_id = s.id and y.resource_id = \(other))
                """)
        }
        if let condition = course(filter.course) { conditions.append(condition) }
        if let location = filter.location { conditions.append("s.location_id = \(location)") }
        if let to = filter.to { conditions.append("\(time) < \(to)") }
        if let after = filter.after {
            conditions.append("(\(time), \(id)) > (\(after.at), \(after.id))")
        }
        conditions.append(
            """
            (s.capacity - s.taken >= \(filter.minimumSeats)::int
                or s.capacity - s.taken + \(SlotRow.lapsed) >= \(filter.minimumSeats)::int)
            and (s.waiting is null or s.capacity - s.taken + \(SlotRow.lapsed) < s.waiting)
            """)
        let joined: SQL = byResource ? "join slot_resource x on x.slot_id = s.id" : ""
        return """
            (select s.id, s.starts_at from \(source) \(joined)
            where \(conditions.joined(separator: " and "))
            order by \(time), \(id) limit \(filter.limit + 1)::int)
            """
    }

    /// Nothing later can be booked by any policy: a search past it would read the whole index.
    private static let latest: SQL = """
        (select case when bool_or(window_seconds is null) then 'infinity'
            else statement_timestamp() + make_interval(secs => max(window_seconds)) end
        from policy)
        """

    private static func course(_ course: String) -> SQL? {
        if course.isEmpty { return nil }
        if let id = UUID(course) { return "s.offering_id = \(id)" }
        return "s.offering_id = (select id from offering where code = \(course))"
    }
}
