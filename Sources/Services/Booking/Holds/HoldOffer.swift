import Environment
import Postgres

/// By which rules and at what price a slot can be held.
struct HoldOffer: Sendable {
    let terms: PolicyTerms
    /// Of one seat, in minor units.
    let price: Int64
    let currency: String
    /// The slot has been taken off for good.
    var isWithdrawn = false

    static func select(_ slots: [UUID]) -> SQL { select("s.id = any(\(slots))") }

    /// - Parameter condition: on a slot called `s`.
    static func select(_ condition: SQL) -> SQL {
        """
        select \(PolicyTerms.columns), s.id, coalesce(s.price, o.price), o.currency,
            s.withdrawn_at is not null
        from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
        where \(condition)
        """
    }

    static func read(_ rows: PostgresRows) throws -> [UUID: HoldOffer] {
        var offers: [UUID: HoldOffer] = [:]
        for row in rows {
            offers[try row[PolicyTerms.count]] = HoldOffer(
                terms: try PolicyTerms.read(row, from: 0), price: try row[PolicyTerms.count + 1],
                currency: try row[PolicyTerms.count + 2],
                isWithdrawn: try row[PolicyTerms.count + 3])
        }
        return offers
    }
}
