import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Held prices", .serialized, .timeLimit(.minutes(2))) struct HeldPriceTests {
        /// Everything costs more, in another currency.
        private func raise(_ clinic: Clinic, _ slot: SlotPlan) async throws {
            _ = try await clinic.fixture.update(slot) { $0.price = 75_000 }
            try await clinic.fixture.pool.execute("update offering set currency = 'USD'")
        }

        @Test("the price of the hold is the price of the booking, whatever a seat costs meanwhile")
        func kept() async throws {
            let clinic = try await Clinic("held_price")
            let slot = try await clinic.slot(capacity: 5)
            let (held, old) = (try await clinic.place(slot, 2), try await clinic.place(slot))
            try await raise(clinic, slot)
            let extended = try await clinic.extend(held)
            #expect(extended.total == 100_000 && extended.currency == "IDR")
            let booked = try #require(try await clinic.confirm(held).booking)
            #expect(booked.total == 100_000 && booked.currency == "IDR")
            let id = try #require(old.hold.flatMap { UUID($0.id) })
            try await clinic.fixture.pool.execute(
                "update hold set price = null, currency = null where id = \(id)")
            let today = try #require(try await clinic.confirm(old).booking)
            #expect(today.total == 75_000 && today.currency == "USD", "of before it was kept")
            #expect(try await clinic.place(slot).hold?.total == 75_000)
            try await clinic.sweep()
        }

        @Test("what was free when it was held is not to be paid")
        func free() async throws {
            let clinic = try await Clinic("held_free", price: 0)
            let slot = try await clinic.slot(capacity: 5)
            let held = try await clinic.place(slot)
            try await raise(clinic, slot)
            let booked = try #require(try await clinic.confirm(held).booking)
            #expect(booked.status == .confirmed && booked.total == 0)
            try await clinic.sweep()
        }

        @Test("seats that are offered to the line keep the price of their offer")
        func offered() async throws {
            let line = try await Line("held_offer")
            let slot = try await line.clinic.slot(capacity: 1)
            let placed = try await line.clinic.place(slot)
            let joined = try await line.join(slot)
            try await line.clinic.release(placed)
            try await raise(line.clinic, slot)
            #expect(try await line.look(joined.token).hold?.total == 50_000)
            let claimed = try await line.claim(joined.token)
            #expect(claimed.hold?.total == 50_000 && claimed.hold?.currency == "IDR")
            let booked = try await line.book(joined.token).booking
            #expect(booked?.total == 50_000 && booked?.currency == "IDR")
            try await line.sweep()
        }

        @Test("the columns are added under load, and no request fails")
        func migrationUnderLoad() async throws {
            let load = try await RegistrationLoad(
                "booking_terms_load", at: BookingMigrations.all.filter { $0.version < 23 })
            let outcomes = try await load.during {
                try await load.migrator.apply(
                    BookingMigrations.all.filter { $0.version <= 23 })
            }
            #expect(outcomes.compactMap(\.refusal).isEmpty)
            #expect(outcomes.compactMap(\.value).reduce(0, +) > 160)
            await load.close()
        }
    }
}
