/// Every RPC that changes something, by what holds its idempotency. A new one belongs into
/// one of these lists, and with that into a suite.
public enum Mutations {
    /// Each asked under a key, as ``KeyedCall`` does it, by BookingTests/MutationTests.
    public static let ofBooking: Set<String> = [
        "janji.booking.v1.Appointments/CancelByManageToken",
        "janji.booking.v1.Appointments/ChangeChoicesByManageToken",
        "janji.booking.v1.Appointments/CheckIn",
        "janji.booking.v1.Appointments/Complete",
        "janji.booking.v1.Appointments/MarkNoShow",
        "janji.booking.v1.Appointments/Reschedule",
        "janji.booking.v1.Appointments/RescheduleByManageToken",
        "janji.booking.v1.Bookings/AssignSlot",
        "janji.booking.v1.Bookings/Cancel",
        "janji.booking.v1.Bookings/Confirm",
        "janji.booking.v1.Bookings/Reject",
        "janji.booking.v1.Catalogue/BlockResource",
        "janji.booking.v1.Catalogue/DeleteLocation",
        "janji.booking.v1.Catalogue/DeletePolicy",
        "janji.booking.v1.Catalogue/DeleteResource",
        "janji.booking.v1.Catalogue/SaveCancellationPolicy",
        "janji.booking.v1.Catalogue/SaveLocation",
        "janji.booking.v1.Catalogue/SavePolicy",
        "janji.booking.v1.Catalogue/SaveResource",
        "janji.booking.v1.Catalogue/UnblockResource",
        "janji.booking.v1.Catalogue/UpdateSlot",
        "janji.booking.v1.Catalogue/WithdrawSlot",
        "janji.booking.v1.Holds/ConfirmHold",
        "janji.booking.v1.Holds/ExtendHold",
        "janji.booking.v1.Holds/PlaceHold",
        "janji.booking.v1.Holds/ReleaseHold",
        "janji.booking.v1.Inventory/PublishOffering",
        "janji.booking.v1.Inventory/PublishSlots",
        "janji.booking.v1.Waitlists/ClaimOffer",
        "janji.booking.v1.Waitlists/JoinWaitlist",
        "janji.booking.v1.Waitlists/LeaveWaitlist",
        "janji.payment.v1.Payments/RecordPayment",
        "janji.payment.v1.Payments/Refund",
        "janji.payment.v1.Payments/ReviewProof",
        "janji.payment.v1.Payments/SettleRefund",
        "janji.payment.v1.Payments/SubmitProof",
        "janji.payment.v1.Payments/UploadProof",
    ]

    /// The same, by ScheduleTests/MutationTests.
    public static let ofSchedule: Set<String> = [
        "janji.schedule.v1.Schedule/CreateClassSchedules",
        "janji.schedule.v1.Schedule/CreateCourse",
        "janji.schedule.v1.Schedule/CreateInstructor",
        "janji.schedule.v1.Schedule/CreateRoom",
        "janji.schedule.v1.Schedule/GenerateSeries",
        "janji.schedule.v1.Schedule/UpdateCourse",
    ]

    /// With what asks each of them again under its key: they do more than a transaction takes
    /// back, or answer a repetition otherwise.
    public static let elsewhere: [String: String] = [
        "janji.booking.v1.Bookings/RegisterCourse":
            "BookingTests/IdempotencyTests: 409 with the original booking (A-07)",
        "janji.payment.v1.Payments/Create":
            "BookingTests/ReplayTests, BookingTests/PaymentTests: its row comes before its key",
    ]

    /// Without a key, and why.
    public static let exempt: [String: String] = [
        "janji.identity.v1.Auth/CreateSession":
            "its answer is a secret that is kept as a hash only; a second session does no harm",
        "janji.identity.v1.Auth/RevokeSession":
            "names what it ends, and answers nothing: a repetition cannot be told from it",
        "janji.payment.v1.Payments/ProviderCallback":
            "providers send no keys; their events are told apart by what they say",
    ]
}
