import Domain
import Environment
import Postgres
import RPC
import Schema
import Telemetry
import Testing

@testable import Booking

extension ServerTests {
    /// What a policy says is what happens: saved over the contract, seen in the flows.
    @Suite("Policies", .serialized, .timeLimit(.minutes(2))) struct PolicyTests {
        private func clinic(
            _ name: String, _ change: (inout BookingV1.Policy) -> Void
        ) async throws -> Clinic {
            let clinic = try await Clinic("policy_\(name)")
            try await clinic.fixture.policy {
                ($0.entry, $0.payment) = (.hold, .atDesk)
                change(&$0)
            }
            try await clinic.fixture.pool.execute("update offering set policy = 'test'")
            return clinic
        }

        @Test("hold_limit: live holds of one holder")
        func holdLimit() async throws {
            let clinic = try await clinic("holds") { $0.holdLimit = 2 }
            let slot = try await clinic.slot(capacity: 5)
            for _ in 0..<2 { _ = try await clinic.place(slot, holder: "ani") }
            let error = await refusal { _ = try await clinic.place(slot, holder: "ani") }
            #expect(error.code == .holdLimitReached)
            _ = try await clinic.place(slot, holder: "budi")
        }

        @Test(
            "check_in_lead_seconds: how early a customer may be checked in", arguments: [60, nil])
        func checkIn(_ lead: Int64?) async throws {
            let clinic = try await clinic("lead_\(lead ?? 0)") { $0.checkInLeadSeconds = lead }
            // Nine hours from now: within twelve, not within a minute.
            let slot = try await clinic.slot(capacity: 5, day: 0, hour: 9)
            let made = try await clinic.booked(slot)
            let token = try #require(made.qrToken)
            if lead == nil {
                #expect(try await clinic.checkIn(token).status == .inProgress)
            } else {
                let error = await refusal { _ = try await clinic.checkIn(token) }
                #expect(error.code == .outsideBookingWindow)
                #expect(error.message.contains("60.0 seconds"))
            }
        }

        @Test("no_show_auto: who has not come is marked by the sweeper", arguments: [true, false])
        func noShow(_ isMarked: Bool) async throws {
            let clinic = try await clinic("no_show_\(isMarked)") { $0.noShowAuto = isMarked }
            let slot = try await clinic.slot(capacity: 5)
            _ = try await clinic.booked(slot)
            try await clinic.moveBack(slot, days: 3)
            let sweeper = NoShowSweeper(
                pool: clinic.fixture.pool, loop: Fixture.loop,
                logger: .init(label: "test"), committed: {})
            #expect(try await sweeper.sweep() == (isMarked ? 1 : 0))
        }

        @Test("A-10: request_seconds, three days when nobody says otherwise", arguments: [0, 3600])
        func request(_ seconds: Int32) async throws {
            let fixture = try await Fixture("policy_request_\(seconds)")
            try await fixture.policy { $0.requestSeconds = seconds }
            try await fixture.pool.execute("update offering set policy = 'test'")
            let booking = try await fixture.request()
            let made = try #require(booking.createdAt.map { Instant($0) })
            let end = try #require(booking.expiresAt.map { Instant($0) })
            #expect(end == made + .seconds(seconds == 0 ? 259_200 : Int(seconds)))
        }

        @Test("a booking of before a rule was added keeps to what was the rule then")
        func oldSnapshot() async throws {
            let clinic = try await clinic("snapshot") { $0.checkInLeadSeconds = 60 }
            let slot = try await clinic.slot(capacity: 5, day: 0, hour: 9)
            let made = try await clinic.booked(slot)
            try await clinic.fixture.pool.execute(
                "update booking set policy = policy - 'check_in_lead_seconds' - 'hold_limit'")
            #expect(
                try await clinic.checkIn(try #require(made.qrToken)).status == .inProgress)
        }
    }
}
