import Domain
import Environment
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Limit of prices", .serialized, .timeLimit(.minutes(2))) struct PriceTests {
        @Test("E-08: 10¹² is the highest price of a seat, wherever one is sent; its sums are right")
        func limit() async throws {
            let clinic = try await Clinic("price_limit")
            let fixture = clinic.fixture
            let slot = try await clinic.slot(capacity: 10)
            for price in [Money.priceLimit + 1, .max] {
                let changed = await refusal {
                    _ = try await fixture.update(slot) { $0.price = price }
                }
                #expect(changed.code == .validationFailed)
                #expect(changed.violations == [.init("price", "is more than 1000000000000")])
                let published = await refusal {
                    var message = SlotPlan(.random(), .random(), hour: 15).message
                    message.price = price
                    try await fixture.publish([message])
                }
                #expect(published.violations.map(\.field) == ["slots[0].price"])
                let offered = await refusal {
                    var request = BookingV1.PublishOfferingRequest()
                    var offering = BookingV1.Offering()
                    offering.id = UUID.random().description
                    (offering.code, offering.title) = ("X-1", "X")
                    (offering.claimAt, offering.timeZone) = (.assign, "UTC")
                    offering.price = price
                    request.offering = offering
                    _ = try await fixture.inventory.publishOffering(
                        request, Fixture.service(BookingV1.InventoryMethods.publishOffering))
                }
                #expect(offered.violations.map(\.field) == ["offering.price"])
            }
            _ = try await fixture.update(slot) { $0.price = Money.priceLimit }
            let placed = try await clinic.place(slot, 10)
            #expect(placed.hold?.total == 10_000_000_000_000)
            let booking = try await clinic.confirm(placed).booking
            #expect(booking?.total == 10_000_000_000_000)
        }

        @Test(
            "a price of before the limit ends no process: its holds are refused, its sums saturate")
        func before() async throws {
            let clinic = try await Clinic("price_before")
            let slot = try await clinic.slot(capacity: 4)
            let placed = try await clinic.place(slot, 2)
            let owner = PostgresPool(
                configuration: PostgresConfiguration(url: clinic.fixture.url), loop: Fixture.loop,
                logger: Logger(label: "test", sink: LogCapture().sink))
            try await owner.execute("alter table booking.slot drop constraint slot_price_limit")
            try await owner.execute("update booking.slot set price = \(Int64.max)")
            // A hold of before has today's price.
            try await owner.execute("update booking.hold set price = null, currency = null")
            await owner.close()
            let refused = await refusal { _ = try await clinic.place(slot, 2) }
            #expect(refused.code == .slotUnavailable)
            #expect(try await clinic.extend(placed).total == .max)
            let unconfirmed = await refusal { _ = try await clinic.confirm(placed) }
            #expect(unconfirmed.code == .slotUnavailable)
            try await clinic.release(placed)
            #expect(try await clinic.fixture.taken(slot) == 0)
        }

        @Test(
            "the limit is set under load, and no request fails; prices of before are brought to it")
        func migrationUnderLoad() async throws {
            let load = try await RegistrationLoad(
                "booking_price_load", at: BookingMigrations.all.filter { $0.version < 25 })
            try await load.pool.execute(
                """
                insert into offering (id, code, title, claim_at, time_zone, price) values
                    (gen_random_uuid(), 'X', 'X', 'assign', 'UTC', \(Int64.max)),
                    (gen_random_uuid(), 'Y', 'Y', 'assign', 'UTC', 5)
                """)
            let outcomes = try await load.during {
                try await load.migrator.apply(BookingMigrations.all)
            }
            #expect(outcomes.compactMap(\.refusal).isEmpty)
            #expect(outcomes.compactMap(\.value).reduce(0, +) > 160)
            let prices: [Int64] = try await load.pool.query(
                "select price from offering where code in ('X', 'Y') order by code"
            ).map { try $0[0] }
            #expect(prices == [Money.priceLimit, 5])
            let valid: [Bool] = try await load.pool.query(
                "select convalidated from pg_constraint where conname like '%\\_price\\_limit'"
            ).map { try $0[0] }
            #expect(valid == [true, true])
            await load.close()
        }
    }

    /// Numbers that were stored or sent, at their ends.
    @Suite("Arithmetic at its ends") struct ArithmeticTests {
        @Test(
            "amounts saturate",
            arguments: [
                (3, 2, 6), (0, 5, 0), (Int64.max, 2, .max), (.max / 2, 3, .max), (.min, 2, .min),
            ] as [(Int64, Int, Int64)])
        func money(price: Int64, seats: Int, total: Int64) {
            #expect(Money.times(price, seats) == total)
        }

        @Test("an account of absurd charges has sums")
        func account() {
            func payment() -> Payment {
                Payment(
                    id: .random(), bookingID: .random(), provider: "manual", amount: .max,
                    currency: "IDR", status: .completed, expiresAt: Instant(microseconds: 0),
                    createdAt: Instant(microseconds: 0))
            }
            let account = PaymentAccount(payments: [payment(), payment()])
            #expect(account.charged == .max)
            #expect(account.kept == .max)
        }

        @Test("a slot whose policy counts in ages has times that can be told")
        func times() {
            let start = Instant(rfc3339: "2030-01-01T00:00:00Z") ?? .now()
            for seconds in [Int64.max, .min] {
                let times = BookingTimes(
                    opens: start - .seconds(seconds), closes: start + .seconds(seconds))
                for instant in [times.opens ?? start, times.closes] {
                    let told = GoogleProtobuf.Timestamp(instant)
                    #expect((-62_135_596_800...253_402_300_799).contains(told.seconds))
                    #expect(CalendarObject.utc(instant).utf8.count >= 16)
                }
            }
        }
    }
}
