import Environment
import Postgres

/// How an offering is read: one select list for every query that returns offerings.
enum OfferingRow {
    /// The columns, for a query whose offering table is called `o`.
    static let columns: SQL = """
        o.id, o.code, o.title, o.claim_at, o.time_zone, o.kind, o.location_id, o.policy, o.price,
        o.currency
        """

    static let count = 10

    /// - Parameter first: the place of the first column.
    static func read(_ row: PostgresRow, from first: Int = 0) throws -> Offering {
        var offering = Offering(
            id: try row[first], code: try row[first + 1], title: try row[first + 2],
            claimAt: Offering.ClaimPolicy(rawValue: try row[first + 3]) ?? .assign,
            timeZone: try row[first + 4])
        (offering.kind, offering.locationID, offering.policy) = (
            try row[first + 5], try row[first + 6], try row[first + 7]
        )
        (offering.price, offering.currency) = (try row[first + 8], try row[first + 9])
        return offering
    }
}
