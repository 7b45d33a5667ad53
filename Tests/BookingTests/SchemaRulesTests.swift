import Domain
import Environment
import Postgres
import Schema
import Testing

@testable import Booking

extension ServerTests {
    /// What the tables refuse by themselves, whoever writes and whatever the program checks.
    @Suite("Rules of the tables", .serialized, .timeLimit(.minutes(2))) struct SchemaRulesTests {
        struct Rule: Sendable {
            let name: String
            let sql: SQL
            let state: String

            init(_ name: String, _ state: String, _ sql: SQL) {
                (self.name, self.state, self.sql) = (name, state, sql)
            }
        }

        static let bookings = [
            Rule("E-06, X-104: a negative total", "23514", "update booking set total = -1"),
            Rule("X-104: no total", "23502", "update booking set total = null"),
            Rule(
                "E-06: more discount than total", "23514",
                "update booking set total = 5, discount = 6"),
            Rule("X-104: a currency that is none", "23514", "update booking set currency = 'rp'"),
            Rule(
                "E-22, X-83: a pair of states that is none", "23503",
                "update booking set payment_status = 'refunded'"),
            Rule("E-04: a status that is none", "23503", "update booking set status = 'lost'"),
            Rule(
                "E-23: a slot that is none", "23503",
                """
                update booking set assignment_basis = 'admin_override',
                    confirmed_slot_id = gen_random_uuid()
                """),
            Rule(
                "A-18, X-01: a slot without a basis", "23514",
                "update booking set confirmed_slot_id = (select min(id::text)::uuid from slot)"),
            Rule(
                "A-18, X-02: a first choice that nobody made", "23514",
                """
                update booking set assignment_basis = 'first_choice',
                    confirmed_slot_id = (select min(id::text)::uuid from slot)
                """),
            Rule(
                "X-114: rescheduled to nothing", "23514",
                "update booking set status = 'rescheduled'"),
            Rule(
                "X-85: a move without its history", "23000",
                "update booking set status = 'rejected', version = version + 1"),
            Rule("X-95: the booking of a history", "23503", "delete from booking"),
            Rule(
                "A-08, X-08: a second pending request", "23505",
                """
                insert into booking
                    (id, offering_id, applicant_key, status, expires_at, created_at)
                select gen_random_uuid(), offering_id, applicant_key, status, expires_at, created_at
                from booking where status = 'pending' and kind = 'request'
                """),
        ]

        static let slots = [
            Rule(
                "E-08: more seats than there are", "23514", "update slot set taken = capacity + 1"),
            Rule("E-08: fewer seats than none", "23514", "update slot set taken = -1"),
            Rule("E-08: no seats at all", "23514", "update slot set capacity = 0"),
            Rule("E-09: a status that is none", "23514", "update slot set status = 'booked'"),
            Rule(
                "A-27: an end before the start", "23514", "update slot set ends_at = starts_at"),
            Rule("X-103: a negative price", "23514", "update slot set price = -1"),
            Rule(
                "E-08: a slot's price above the limit", "23514",
                "update slot set price = \(Money.priceLimit + 1)"),
            Rule(
                "E-08: an offering's price above the limit", "23514",
                "update offering set price = \(Money.priceLimit + 1)"),
            Rule("X-95: a slot that is booked", "23503", "delete from slot"),
            Rule(
                "E-21, D-07, X-82: a resource twice at one time", "23P01",
                """
                insert into claim (resource_id, slot_id, during)
                select r.id, s.id, tstzrange(s.starts_at + n * interval '1 minute', s.ends_at, '[)')
                from slot s, unnest(array[0, 15]) n, (select id from resource limit 1) r
                """),
        ]

        static let money = [
            Rule(
                "X-112: a provider that nobody knows", "23503",
                "update payment_record set provider = 'cash'"),
            Rule("X-104: a charge of nothing", "23514", "update payment_record set amount = 0"),
            Rule("X-88: paid without a time", "23514", "update payment_record set paid_at = null"),
            Rule(
                "E-13: a charge that goes back", "23514",
                "update payment_record set status = 'pending', paid_at = null"),
            Rule(
                "E-05, X-87: more back than came", "23514",
                """
                insert into refund (id, payment_id, amount, reason, actor, idempotency_key,
                    requested_at)
                select gen_random_uuid(), id, amount + 1, 'x', 'x', 'x', clock_timestamp()
                from payment_record
                """),
            Rule("X-95: a charge", "23503", "delete from payment_record"),
        ]

        @Test("what must never be is refused by the database itself")
        func refused() async throws {
            let stage = try await PaymentStage("schema_rules")
            _ = try await stage.fixture.request()
            let payment = try await stage.create(try await stage.booking())
            try await stage.pay(payment)
            _ = try await stage.refund(try #require(UUID(payment.bookingId)), 1)
            for rule in Self.bookings + Self.slots + Self.money {
                let state = try await Self.state(of: rule.sql, on: stage.fixture.pool)
                #expect(state == rule.state, "\(rule.name)")
            }
            await stage.close()
        }

        /// What the statement was refused with, in a transaction of its own; nil when it was not.
        private static func state(of sql: SQL, on pool: PostgresPool) async throws -> String? {
            do {
                try await pool.execute(sql)
                return nil
            } catch let error as PostgresError {
                return error.sqlState?.rawValue
            }
        }
    }
}
