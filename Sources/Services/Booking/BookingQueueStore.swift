import Domain
import Environment
import Postgres
import Protobuf
import Schema

/// What admins read: bookings with their applicants and choices.
struct BookingQueueStore: Sendable {
    let pool: PostgresPool
    let proofs: ProofAddress
    /// So long a confirmed request may wait for its slot.
    let slotAlarm: Duration

    private static let applicant: SQL = """
        p.full_name, p.email, p.guardian_name, p.guardian_wa_number, p.school, p.class,
        p.experience_level, p.preferred_days, p.preferred_start, p.preferred_end, p.birth_date,
        p.payment_proof
        """

    func list(_ page: QueuePage, now: Instant) async throws -> BookingV1.ListPendingResponse {
        let queue: SQL =
            page.needsSlot
            ? "b.status = 'confirmed' and b.confirmed_slot_id is null"
            : "b.status = 'pending' and b.expires_at > \(now)"
        let course: SQL = page.offering.map { "and b.offering_id = \($0)" } ?? ""
        let after: SQL = page.after.map { "and (b.created_at, b.id) > (\($0.at), \($0.id))" } ?? ""
        let results = try await pool.atomically(
            [
                """
                select \(BookingRow.columns), \(Self.applicant), o.code, o.title
                from booking b join registration p on p.booking_id = b.id
                join offering o on o.id = b.offering_id
                where \(queue) \(course) \(after)
                order by b.created_at, b.id limit \(page.size + 1)::int
                """,
                "select count(*) from booking b where \(queue) \(course)",
            ], options: TransactionOptions(isReadOnly: true))
        let bookings = try results[0].prefix(page.size).map { try BookingRow.read($0) }
        let choices = try await RequestChoices.read(
            of: bookings, BookingStore(pool: pool), now: now)
        var response = BookingV1.ListPendingResponse()
        for (row, booking) in zip(results[0], bookings) {
            var item = BookingV1.PendingBooking()
            item.booking = BookingV1.Booking(booking)
            item.applicant = try readApplicant(row, from: BookingRow.count)
            item.courseCode = try row[BookingRow.count + 12]
            item.courseTitle = try row[BookingRow.count + 13]
            item.firstChoice = choices.message(booking.firstChoice, of: booking)
            item.secondChoice = choices.message(booking.secondChoice, of: booking)
            item.choicesGone = choices.areGone(booking)
            item.overdue =
                booking.needsSlot
                && (booking.confirmedAt ?? booking.createdAt).duration(to: now) > slotAlarm
            item.alternatives = choices.alternatives(to: booking).map { BookingV1.Slot($0) }
            response.bookings.append(item)
        }
        if results[0].count > page.size, let last = bookings.last {
            response.nextPageToken = PageToken(at: last.createdAt, id: last.id).text
        }
        response.total = try results[1].single()[0] as Int32
        response.asOf = GoogleProtobuf.Timestamp(now)
        return response
    }

    func find(_ id: UUID) async throws -> BookingV1.GetBookingResponse? {
        try await BookingTables.first { try await find(id, in: $0) }
    }

    private func find(
        _ id: UUID, in tables: BookingTables
    ) async throws -> BookingV1.GetBookingResponse? {
        let suffix = tables.suffix
        let results = try await pool.atomically(
            [
                """
                select \(BookingRow.columns), \(Self.applicant), \(Contact.columns),
                    \(tables.archivedAt)
                from booking\(suffix) b left join registration\(suffix) p on p.booking_id = b.id
                left join contact\(suffix) k on k.booking_id = b.id
                where b.id = \(id)
                """,
                Self.history(id),
                """
                select \(SlotRow.columns) from \(SlotRow.tables)
                where s.id = (select confirmed_slot_id from booking\(suffix) where id = \(id))
                """,
            ], options: .readOnly)
        guard let row = results[0].first else { return nil }
        var response = BookingV1.GetBookingResponse()
        response.booking = BookingV1.Booking(try BookingRow.read(row))
        response.booking?.archivedAt = try (row[BookingRow.count + 12 + Contact.count] as Instant?)
            .map { GoogleProtobuf.Timestamp($0) }
        let applicantName: String? = try row[BookingRow.count]
        if applicantName != nil {
            response.applicant = try readApplicant(row, from: BookingRow.count)
        }
        response.contact = try Contact.read(row, from: BookingRow.count + 12)
        response.history = try results[1].map(Self.readHistory)
        response.slot = try results[2].first.map { BookingV1.Slot(try SlotRow.read($0)) }
        return response
    }

    func history(_ id: UUID) async throws -> [BookingV1.HistoryEntry] {
        try await pool.query(Self.history(id)).map(Self.readHistory)
    }

    private static func history(_ id: UUID) -> SQL {
        """
        select at, from_status, to_status, actor, action, reason, payment_status
        from booking_history where booking_id = \(id) order by version
        """
    }

    private func readApplicant(
        _ row: PostgresRow, from first: Int
    ) throws -> BookingV1.Applicant {
        var applicant = BookingV1.Applicant()
        applicant.fullName = try row[first]
        applicant.email = try row[first + 1]
        applicant.guardianName = try row[first + 2]
        applicant.guardianWaNumber = try row[first + 3]
        applicant.school = try row[first + 4]
        applicant.`class` = try row[first + 5]
        applicant.experienceLevel = try row[first + 6]
        applicant.preferredDays = try row[first + 7]
        let start: String? = try row[first + 8]
        let end: String? = try row[first + 9]
        if let start, let end {
            var range = BookingV1.TimeRange()
            range.start = start
            range.end = end
            applicant.preferredTimeRange = range
        }
        let birth: LocalDate = try row[first + 10]
        applicant.birthDate = birth.description
        let proof: String? = try row[first + 11]
        applicant.paymentProof = proof.flatMap { UUID($0) }.map(proofs.address)
        return applicant
    }

    private static func readHistory(_ row: PostgresRow) throws -> BookingV1.HistoryEntry {
        var entry = BookingV1.HistoryEntry()
        let at: Instant = try row[0]
        entry.at = GoogleProtobuf.Timestamp(at)
        let from: String? = try row[1]
        entry.from = from.flatMap { BookingV1.BookingStatus(stored: $0) }
        entry.to = BookingV1.BookingStatus(stored: try row[2]) ?? .unspecified
        entry.actor = try row[3]
        entry.action = try row[4]
        entry.reason = try row[5]
        let payment: String? = try row[6]
        entry.paymentStatus = payment.flatMap(Booking.PaymentStatus.init(rawValue:)).map {
            BookingV1.PaymentStatus($0)
        }
        return entry
    }
}

extension BookingV1.BookingStatus {
    /// From the word in the table.
    init?(stored: String) {
        guard let status = Booking.Status(rawValue: stored) else { return nil }
        self.init(status)
    }
}
