import Domain
import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Offerings`.
public struct OfferingService: BookingV1.OfferingsService {
    private let pool: PostgresPool

    static let limit = 1000
    static let entries = ["request", "hold", "external"]

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    public func listOfferings(
        _ request: BookingV1.ListOfferingsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListOfferingsResponse {
        var rules = FieldRules()
        if !request.entry.isEmpty, !Self.entries.contains(request.entry) {
            rules.refuse("entry", "is none of request, hold, external")
        }
        let location =
            request.locationId.isEmpty ? nil : rules.uuid(request.locationId, "location_id")
        try rules.check()
        let entry: SQL = request.entry.isEmpty ? "true" : "p.entry = \(request.entry)"
        let place: SQL = location.map { "o.location_id = \($0)" } ?? "true"
        return try await DomainError.mapping {
            let rows = try await pool.query(
                """
                select \(OfferingRow.columns), p.entry, p.payment, p.hold_seconds,
                    p.quantity_limit, coalesce(l.name, '')
                from offering o join policy p on p.code = o.policy
                left join location l on l.id = o.location_id
                where \(entry) and \(place)
                order by o.code limit \(Self.limit)::int
                """)
            var response = BookingV1.ListOfferingsResponse()
            response.offerings = try rows.map(Self.read)
            return response
        }
    }

    private static func read(_ row: PostgresRow) throws -> BookingV1.BookableOffering {
        var item = BookingV1.BookableOffering()
        item.offering = BookingV1.Offering(try OfferingRow.read(row))
        item.entry = try row[OfferingRow.count]
        item.payment = try row[OfferingRow.count + 1]
        item.holdSeconds = try row[OfferingRow.count + 2]
        item.quantityLimit = try row[OfferingRow.count + 3]
        item.locationName = try row[OfferingRow.count + 4]
        return item
    }
}
