import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct OfferingTests {
        @Test("offerings with what their policies say, by entry and by location")
        func lists() async throws {
            let fixture = try await Fixture("offerings")
            let clinic = UUID.random()
            try await fixture.pool.execute(
                """
                insert into location (id, code, name, time_zone)
                values (\(clinic), 'CLINIC', 'Klinik', 'Asia/Jakarta')
                """)
            try await fixture.pool.execute(
                """
                insert into offering (id, code, title, claim_at, time_zone, location_id, policy,
                    price, currency, kind)
                values (\(UUID.random()), 'CHECK', 'Checkup', 'publish', 'Asia/Jakarta', \(clinic),
                    'clinic', 150000, 'IDR', 'service')
                """)
            func codes(_ entry: String, _ location: String = "") async throws -> [String] {
                var request = BookingV1.ListOfferingsRequest()
                request.entry = entry
                request.locationId = location
                return try await OfferingService(pool: fixture.pool).listOfferings(
                    request, ServerContext(method: BookingV1.OfferingsMethods.listOfferings)
                ).offerings.map { item in
                    "\(item.offering?.code ?? "") \(item.entry) \(item.payment) \(item.offering?.price ?? 0) \(item.locationName)"
                }
            }
            #expect(try await codes("hold") == ["CHECK hold online 150000 Klinik"])
            #expect(try await codes("").count == 3)
            #expect(try await codes("request").count == 2)
            #expect(try await codes("", clinic.description).count == 1)
            await #expect(throws: DomainError.self) { _ = try await codes("nothing") }
            await #expect(throws: DomainError.self) { _ = try await codes("", "x") }
        }
    }
}
