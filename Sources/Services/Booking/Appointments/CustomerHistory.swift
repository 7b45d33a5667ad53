import Domain
import Environment
import Postgres
import Protobuf
import Schema

// What customers may see of the history: without names, reasons and notes.

extension AppointmentStore {
    /// Of the whole line that ends with the booking, oldest first. That a booking took another's
    /// place is told once, by the one that was moved.
    func history(to last: UUID) async throws -> [BookingV1.CustomerHistoryEntry] {
        let found = try await BookingTables.first { tables -> [BookingV1.CustomerHistoryEntry]? in
            let rows = try await pool.query(
                """
                \(tables.line(from: last, by: "rescheduled_from"))
                select h.at, h.from_status, h.to_status, h.payment_status, h.action, h.actor
                from line l join booking_history h on h.booking_id = l.id
                where h.version > 1 or l.next is null
                order by l.step desc, h.version
                """)
            return rows.isEmpty ? nil : try rows.map(BookingV1.CustomerHistoryEntry.read)
        }
        return found ?? []
    }
}

extension BookingV1.CustomerHistoryEntry {
    fileprivate static func read(_ row: PostgresRow) throws -> BookingV1.CustomerHistoryEntry {
        var entry = BookingV1.CustomerHistoryEntry()
        entry.at = GoogleProtobuf.Timestamp(try row[0] as Instant)
        let (from, to, payment): (String?, String, String?) = (
            try row[1], try row[2], try row[3]
        )
        entry.from = from.flatMap { Booking.Status(rawValue: $0) }
            .map { BookingV1.BookingStatus($0) }
        entry.to = Booking.Status(rawValue: to).map { BookingV1.BookingStatus($0) } ?? .unspecified
        entry.paymentStatus = payment.flatMap { Booking.PaymentStatus(rawValue: $0) }
            .map { BookingV1.PaymentStatus($0) }
        entry.action = try row[4]
        entry.by = BookingV1.HistoryParty(actor: try row[5])
        return entry
    }
}

extension BookingV1.HistoryParty {
    /// ``Principal/actor``, `customer`, `system` or `provider:…`, told without the name.
    init(actor: String) {
        self =
            switch actor.prefix(while: { $0 != ":" }) {
            case "public", "customer": .customer
            case "admin": .staff
            default: .system
            }
    }
}
