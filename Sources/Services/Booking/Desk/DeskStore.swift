import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// The SQL of a location's day.
struct DeskStore: Sendable {
    let pool: PostgresPool

    static let slotLimit = 1000

    struct Day: Sendable {
        var slots: [Slot] = []
        var holds: [UUID: [BookingV1.LiveHold]] = [:]
        var bookings: [UUID: [BookingV1.DeskBooking]] = [:]
        var waiting: [UUID: [BookingV1.WaitlistPerson]] = [:]
    }

    /// Slots, holds, bookings and lines of one moment.
    /// - Parameter isOver: then some of its bookings may be in the archive.
    func day(_ date: LocalDate, location: UUID?, isOver: Bool) async throws -> Day {
        let tables = isOver ? BookingTables.allCases : [.inUse]
        let wanted: SQL = """
            (select s.id from slot s where s.local_date = \(date)
                and s.location_id is not distinct from \(nullable: location)
                and s.withdrawn_at is null)
            """
        let results = try await pool.atomically(
            [
                """
                select \(SlotRow.columns) from \(SlotRow.tables)
                where s.local_date = \(date)
                  and s.location_id is not distinct from \(nullable: location)
                  and s.withdrawn_at is null
                order by s.starts_at, s.id limit \(Self.slotLimit)::int
                """,
                """
                select h.slot_id, h.id, h.quantity, h.expires_at from hold h
                where h.status = 'pending' and h.expires_at > statement_timestamp()
                  and h.slot_id in \(wanted)
                order by h.expires_at
                """,
                """
                \(tables.map { Self.bookings(of: wanted, $0) }.joined(separator: " union all "))
                order by created_at, id
                """,
                WaitlistStore.people(of: wanted),
            ], options: TransactionOptions(isReadOnly: true))
        var day = Day(slots: try results[0].map { try SlotRow.read($0) })
        for row in results[1] {
            var hold = BookingV1.LiveHold()
            let (slot, id): (UUID, UUID) = (try row[0], try row[1])
            hold.id = id.description
            hold.quantity = try row[2]
            hold.expiresAt = GoogleProtobuf.Timestamp(try row[3] as Instant)
            day.holds[slot, default: []].append(hold)
        }
        for row in results[2] {
            let booking = try BookingRow.read(row)
            guard let slot = booking.confirmedSlot else { continue }
            var item = BookingV1.DeskBooking()
            item.booking = BookingV1.Booking(booking)
            item.contact = try Contact.read(row, from: BookingRow.count)
            day.bookings[slot, default: []].append(item)
        }
        for row in results[3] {
            let slot = try WaitlistEntry.read(row).slot
            day.waiting[slot, default: []].append(try WaitlistStore.person(row))
        }
        return day
    }

    private static func bookings(of slots: SQL, _ tables: BookingTables) -> SQL {
        """
        select \(BookingRow.columns), \(Contact.columns)
        from booking\(tables.suffix) b left join contact\(tables.suffix) k on k.booking_id = b.id
        where b.confirmed_slot_id in \(slots) and b.status not in ('expired', 'rejected')
        """
    }
}

/// How the contact of a booking is read.
enum Contact {
    /// The columns, for a query whose tables are `booking b` and `contact k`.
    static let columns: SQL = """
        k.full_name, k.email, k.phone, k.subject_name, k.subject_kind, b.notes
        """

    static let count = 6

    /// Nil when the booking has none.
    static func read(_ row: PostgresRow, from first: Int) throws -> BookingV1.Contact? {
        let name: String? = try row[first]
        guard let name else { return nil }
        var contact = BookingV1.Contact()
        contact.fullName = name
        contact.email = try row[first + 1]
        contact.phone = try row[first + 2]
        contact.subjectName = try row[first + 3]
        contact.subjectKind = try row[first + 4]
        contact.notes = try row[first + 5]
        return contact
    }
}
