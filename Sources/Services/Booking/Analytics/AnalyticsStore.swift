import Environment
import Postgres
import Schema

/// The SQL of figures and searches.
struct AnalyticsStore: Sendable {
    let pool: PostgresPool

    func daily(
        _ basis: String, _ days: ClosedRange<LocalDate>, _ location: UUID?, _ offering: UUID?,
        _ limit: Int
    ) async throws -> (figures: [BookingV1.DailyFigures], asOf: Instant?) {
        let refreshed = try await pool.query("select as_of from analytics_refresh")
        guard let asOf: Instant = try refreshed.first?[0] else { return ([], nil) }
        let rows = try await pool.query(
            """
            select d.day::text, d.location, d.offering_id, o.code, d.currency, d.bookings,
                d.quantity, d.pending, d.confirmed, d.completed, d.no_show, d.cancelled,
                d.rejected, d.expired, d.rescheduled, d.revenue, d.paid
            from analytics_daily d join offering o on o.id = d.offering_id
            where d.basis = \(basis) and d.day between \(days.lowerBound) and \(days.upperBound)
              and (\(nullable: location)::uuid is null or d.location = \(nullable: location)::uuid::text)
              and (\(nullable: offering)::uuid is null or d.offering_id = \(nullable: offering)::uuid)
            order by d.day, d.location, o.code, d.currency limit \(limit)::int
            """)
        return (try rows.map(Self.read), asOf)
    }

    private static func read(_ row: PostgresRow) throws -> BookingV1.DailyFigures {
        var figures = BookingV1.DailyFigures()
        figures.day = try row[0]
        figures.locationId = try row[1]
        figures.offeringId = (try row[2] as UUID).description
        figures.offeringCode = try row[3]
        figures.currency = try row[4]
        figures.bookings = try row[5]
        figures.quantity = try row[6]
        figures.pending = try row[7]
        figures.confirmed = try row[8]
        figures.completed = try row[9]
        figures.noShow = try row[10]
        figures.cancelled = try row[11]
        figures.rejected = try row[12]
        figures.expired = try row[13]
        figures.rescheduled = try row[14]
        figures.revenue = try row[15]
        figures.paid = try row[16]
        figures.average = figures.paid == 0 ? 0 : figures.revenue / figures.paid
        return figures
    }

    func search(_ words: String, limit: Int) async throws -> [Booking] {
        try await pool.query(
            """
            select \(BookingRow.columns) from booking b
            where b.notes <> '' and note_words(b.notes) @@ note_query(\(words)::text)
            order by b.created_at desc, b.id desc limit \(limit)::int
            """
        ).map(BookingRow.read)
    }
}
