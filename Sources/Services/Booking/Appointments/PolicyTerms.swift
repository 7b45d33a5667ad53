import Environment
import Postgres

/// The rules by which a slot is booked, or a booking was made: a row of `policy`, or its snapshot
/// on the booking.
struct PolicyTerms: Sendable, Hashable {
    enum Entry: String, Sendable { case request, hold, external }

    enum Payment: String, Sendable {
        case notRequired = "not_required"
        case atDesk = "at_desk"
        case manual, online
    }

    var entry: Entry
    var payment: Payment
    var holdTime: Duration
    var holdExtensions: Int
    var paymentTime: Duration
    var quantityLimit: Int
    var cancelNotice: Duration
    var rescheduleNotice: Duration
    var rescheduleLimit: Int
    var noShowGrace: Duration
    /// Live holds of one holder.
    var holdLimit: Int
    /// Customers are checked in from so long before the start.
    var checkInLead: Duration

    /// For a query with a record of `policy` called `p`. A snapshot of before a column was added
    /// has none of it.
    static let columns: SQL = """
        p.entry, p.payment, p.hold_seconds, p.hold_extensions, p.payment_seconds,
        p.quantity_limit, p.cancel_notice_seconds,
        p.reschedule_notice_seconds, p.reschedule_limit, p.no_show_grace_seconds,
        coalesce(p.hold_limit, 5), coalesce(p.check_in_lead_seconds, 43200)
        """

    /// The rules that a booking `b` was made under; the offering's where none are kept on it.
    static func ofBooking(_ tables: BookingTables = .inUse) -> SQL {
        """
        booking\(tables.suffix) b cross join lateral jsonb_populate_record(null::policy,
            case when b.policy <> '{}' then b.policy
            else (select to_jsonb(k) from offering o join policy k on k.code = o.policy
                where o.id = b.offering_id) end) p
        """
    }

    /// What is kept on a booking of the policy `p`: the row, with the tiers of its cancellation.
    static let snapshot: SQL = """
        to_jsonb(p) || jsonb_build_object('cancellation', jsonb_build_object(
            'code', p.cancellation,
            'tiers', (select coalesce(jsonb_agg(jsonb_build_object(
                    'notice_seconds', t.notice_seconds, 'refund_percent', t.refund_percent)
                    order by t.notice_seconds), '[]')
                from cancellation_tier t where t.policy = p.cancellation)))
        """

    static let count = 12

    static func read(_ row: PostgresRow, from first: Int) throws -> PolicyTerms {
        func seconds(_ column: Int) throws -> Duration {
            .seconds(try row[first + column] as Int64)
        }
        let (entry, payment): (String, String) = try (row[first], row[first + 1])
        return PolicyTerms(
            entry: Entry(rawValue: entry) ?? .external,
            payment: Payment(rawValue: payment) ?? .online, holdTime: try seconds(2),
            holdExtensions: try row[first + 3], paymentTime: try seconds(4),
            quantityLimit: try row[first + 5], cancelNotice: try seconds(6),
            rescheduleNotice: try seconds(7), rescheduleLimit: try row[first + 8],
            noShowGrace: try seconds(9), holdLimit: try row[first + 10],
            checkInLead: try seconds(11))
    }
}
