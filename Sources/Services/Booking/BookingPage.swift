import Domain
import Environment
import Postgres
import Schema

/// One page of all bookings, the newest first, by keyset: ids are in the order of their making.
struct BookingPage: Sendable {
    let size: Int
    private let condition: SQL

    init(_ request: BookingV1.ListBookingsRequest) throws(DomainError) {
        var rules = FieldRules()
        if !(0...200).contains(request.pageSize) {
            rules.refuse("page_size", "is not between 0 and 200")
        }
        var condition: SQL = "true"
        func require(_ more: SQL) { condition = "\(condition) and \(more)" }
        if let after = PageToken.read(request.pageToken, "page_token", &rules) {
            require("b.id < \(after.id)")
        }
        let statuses = Self.statuses(request.statuses, &rules)
        if !statuses.isEmpty { require("b.status = any(\(statuses))") }
        if !request.courseId.isEmpty, let id = rules.uuid(request.courseId, "course_id") {
            require("b.offering_id = \(id)")
        }
        if !request.locationId.isEmpty, let id = rules.uuid(request.locationId, "location_id") {
            require("b.offering_id in (select o.id from offering o where o.location_id = \(id))")
        }
        if !request.slotId.isEmpty, let id = rules.uuid(request.slotId, "slot_id") {
            require("b.confirmed_slot_id = \(id)")
        }
        if let from = rules.instant(request.from, "from") { require("b.created_at >= \(from)") }
        if let to = rules.instant(request.to, "to") { require("b.created_at < \(to)") }
        try rules.check()
        self.condition = condition
        size = request.pageSize == 0 ? 50 : Int(request.pageSize)
    }

    private static func statuses(
        _ wanted: [BookingV1.BookingStatus], _ rules: inout FieldRules
    ) -> [String] {
        let known = Booking.Status.allCases.map { (BookingV1.BookingStatus($0), $0.rawValue) }
        return wanted.prefix(known.count).enumerated().compactMap { index, status in
            if let word = known.first(where: { $0.0 == status })?.1 { return word }
            rules.refuse("statuses[\(index)]", "is no status of a booking")
            return nil
        }
    }

    /// One more than the page holds when there are more.
    var select: SQL {
        """
        select \(BookingRow.columns) from booking b where \(condition)
        order by b.id desc limit \(size + 1)::int
        """
    }

    func read(_ rows: PostgresRows) throws -> BookingV1.ListBookingsResponse {
        let bookings = try rows.map(BookingRow.read)
        var response = BookingV1.ListBookingsResponse()
        response.bookings = bookings.prefix(size).map { BookingV1.Booking($0) }
        if bookings.count > size, let last = bookings.prefix(size).last {
            response.nextPageToken = PageToken(at: last.createdAt, id: last.id).text
        }
        return response
    }
}
