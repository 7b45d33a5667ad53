import HTTP1
import Protobuf
import RPC
import Schema
import Testing

@testable import Edge

/// The endpoint table of the requirements (1.8), as far as it is the booking kernel's: each line is a
/// route to the RPC that does it, for whom it names.
@Suite("Endpoints") struct EndpointTests {
    struct Endpoint: Sendable, CustomTestStringConvertible {
        let method: HTTPMethod
        let path: String
        let rpc: String
        let access: CommonV1.Access

        init(_ method: HTTPMethod, _ path: String, _ rpc: String, _ access: CommonV1.Access) {
            (self.method, self.path, self.rpc, self.access) = (method, path, rpc, access)
        }

        var testDescription: String { "\(method.rawValue) \(path)" }
    }

    /// The paths of the documents themselves.
    static let documented = [
        Endpoint(.post, "api/booking/register-course", "Bookings.RegisterCourse", .public),
        Endpoint(.get, "api/booking/admin/bookings/pending", "Bookings.ListPending", .admin),
        Endpoint(.post, "api/booking/ID/confirm", "Bookings.Confirm", .admin),
        Endpoint(
            .post, "api/booking/admin/bookings/ID/assign-slot", "Bookings.AssignSlot", .admin),
        Endpoint(.get, "api/booking/availability/find-slots", "Availability.FindSlots", .public),
        Endpoint(.get, "availability/instructor/ID", "Availability.GetByInstructor", .public),
    ]

    static let implied = [
        Endpoint(.post, "api/booking/payment-proofs", "Payments.UploadProof", .public),
        Endpoint(.post, "api/booking/ID/reject", "Bookings.Reject", .admin),
        Endpoint(.post, "api/booking/ID/cancel", "Bookings.Cancel", .admin),
        Endpoint(.post, "api/booking/ID/reschedule", "Appointments.Reschedule", .admin),
        Endpoint(.post, "api/booking/ID/complete", "Appointments.Complete", .admin),
        Endpoint(.post, "api/booking/ID/no-show", "Appointments.MarkNoShow", .admin),
        Endpoint(.get, "api/booking/ID", "Bookings.GetBooking", .admin),
        Endpoint(.get, "api/booking/ID/history", "Bookings.GetHistory", .admin),
        Endpoint(.get, "api/booking/ID/ics", "Appointments.ExportIcs", .public),
        Endpoint(.post, "api/bookings/holds", "Holds.PlaceHold", .public),
        Endpoint(.delete, "api/bookings/holds/ID", "Holds.ReleaseHold", .public),
        Endpoint(.post, "api/bookings/holds/ID/confirm", "Holds.ConfirmHold", .public),
        Endpoint(.post, "api/bookings/ID/payments", "Payments.Create", .public),
        Endpoint(.post, "api/bookings/ID/payments/desk", "Payments.RecordPayment", .admin),
        Endpoint(.post, "api/payments/callbacks/midtrans", "Payments.ProviderCallback", .public),
        Endpoint(.post, "api/bookings/ID/refunds", "Payments.Refund", .admin),
        Endpoint(
            .get, "api/bookings/ID/cancellation-quote", "Payments.QuoteCancellation", .public),
        Endpoint(.post, "api/bookings/ID/check-in", "Appointments.CheckIn", .admin),
        Endpoint(.get, "api/admin/analytics/daily", "Analytics.ListDaily", .admin),
    ]

    /// one canonical path, and the aliases that the documents use. X-124: by the link.
    static let others = [
        Endpoint(.post, "booking/register-course", "Bookings.RegisterCourse", .public),
        Endpoint(
            .post, "api/booking/admin/bookings/ID/confirm", "Bookings.Confirm", .admin),
        Endpoint(.get, "api/availability/find-slots", "Availability.FindSlots", .public),
        Endpoint(.get, "availability/find-slots", "Availability.FindSlots", .public),
        Endpoint(.get, "api/bookings", "Bookings.ListBookings", .admin),
        Endpoint(.get, "api/bookings/ID", "Bookings.GetBooking", .admin),
        Endpoint(.get, "api/bookings/manage/TOKEN", "Appointments.GetByManageToken", .public),
        Endpoint(
            .get, "api/bookings/manage/TOKEN/history", "Appointments.GetHistoryByManageToken",
            .public),
        Endpoint(.get, "api/bookings/manage/TOKEN/ics", "Appointments.ExportIcs", .public),
        Endpoint(
            .post, "api/bookings/manage/TOKEN/cancel", "Appointments.CancelByManageToken", .public),
        Endpoint(
            .post, "api/bookings/manage/TOKEN/reschedule", "Appointments.RescheduleByManageToken",
            .public),
        Endpoint(
            .post, "api/bookings/manage/TOKEN/choices", "Appointments.ChangeChoicesByManageToken",
            .public),
        Endpoint(.get, "api/courses", "Schedule.ListCourses", .public),
        Endpoint(.get, "api/courses/ID/schedules", "Schedule.ListClassSchedules", .public),
    ]

    @Test("1.8, X-18, X-19: each endpoint is a route", arguments: documented + implied + others)
    func routed(_ endpoint: Endpoint) throws {
        let table = try RouteTable(DescriptorPool(linked: SchemaFiles.all.map(\.file)))
        let segments = endpoint.path.split(separator: "/").map(String.init)
        guard case .found(let route) = table.match(endpoint.method, segments) else {
            Issue.record("no route")
            return
        }
        let service = route.descriptor.service.split(separator: ".").last ?? ""
        #expect("\(service).\(route.descriptor.name)" == endpoint.rpc)
        #expect(route.access == endpoint.access)
    }
}
