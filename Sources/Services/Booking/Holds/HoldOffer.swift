import Environment
import Postgres

/// By which rules and at what price a slot can be held.
struct HoldOffer: Sendable {
    let terms: PolicyTerms
    /// Of one seat, in minor units.
    let price: Int64
    let currency: String

    static func select(_ slots: [UUID]) -> SQL { select("s.id = any(\(slots))") }

    /// - Parameter condition: on a slot called `s`.
    static func select(_ condition: SQL) -> SQL {
        """
        select \(PolicyTerms.columns), s.id, coalesce(s.price, o.price), o.currency
        from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
        where \(condition)
        """
    }

    static func read(_ rows: PostgresRows) throws -> [UUID: HoldOffer] {
        var offers: [UUID: HoldOffer] = [:]
        for row in rows {
            offers[try row[PolicyTerms.count]] = HoldOffer(
                terms: try PolicyTerms.read(row, from: 0), price: try row[PolicyTerms.count + 1],
                currency: try row[PolicyTerms.count + 2])
        }
        return offers
    }
}
