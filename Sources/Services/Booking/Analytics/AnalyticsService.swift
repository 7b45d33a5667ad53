import Domain
import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Analytics`.
public struct AnalyticsService: BookingV1.AnalyticsService {
    private let store: AnalyticsStore

    static let longestRange = 366
    static let longestAnswer = 10_000

    public init(pool: PostgresPool) {
        store = AnalyticsStore(pool: pool)
    }

    public func listDaily(
        _ request: BookingV1.ListDailyRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListDailyResponse {
        var rules = FieldRules()
        let from = rules.date(request.from, "from")
        let to = rules.date(request.to, "to")
        if let from, let to,
            !(0..<Self.longestRange).contains(to.daysSinceEpoch - from.daysSinceEpoch)
        {
            rules.refuse("to", "is not within \(Self.longestRange) days after “from”")
        }
        let location =
            request.locationId.isEmpty ? nil : rules.uuid(request.locationId, "location_id")
        let offering =
            request.offeringId.isEmpty ? nil : rules.uuid(request.offeringId, "offering_id")
        guard rules.areKept, let from, let to else { throw rules.refusal }
        let basis = request.basis == .appointment ? "appointment" : "booking"
        let found = try await DomainError.mapping {
            try await store.daily(basis, from...to, location, offering, Self.longestAnswer)
        }
        var response = BookingV1.ListDailyResponse()
        response.figures = found.figures
        response.asOf = found.asOf.map { GoogleProtobuf.Timestamp($0) }
        return response
    }

    public func searchNotes(
        _ request: BookingV1.SearchNotesRequest, _ context: ServerContext
    ) async throws -> BookingV1.SearchNotesResponse {
        var rules = FieldRules()
        rules.text(request.query, "query", limit: 200)
        if !(0...100).contains(request.limit) { rules.refuse("limit", "is not between 0 and 100") }
        try rules.check()
        let limit = request.limit == 0 ? 20 : Int(request.limit)
        var response = BookingV1.SearchNotesResponse()
        response.bookings = try await DomainError.mapping {
            try await store.search(request.query, limit: limit)
        }.map { BookingV1.Booking($0) }
        return response
    }
}
