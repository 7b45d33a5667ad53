/// Which payment status may stand beside which status: the rows of the table `booking_state`,
/// which the database enforces.
public enum BookingState {
    public static let legal: [Booking.Status: Set<Booking.PaymentStatus>] = [
        .pending: [.notRequired, .pending, .failed, .paid],
        .pendingPayment: [.pending, .failed],
        .confirmed: [.notRequired, .pending, .failed, .paid, .partiallyRefunded],
        .inProgress: [.notRequired, .pending, .paid, .partiallyRefunded],
        .completed: [.notRequired, .pending, .paid, .partiallyRefunded, .refunded],
        .noShow: [.notRequired, .pending, .paid, .partiallyRefunded, .refunded],
        .cancelled: Set(Booking.PaymentStatus.allCases),
        .rejected: Set(Booking.PaymentStatus.allCases),
        .expired: Set(Booking.PaymentStatus.allCases),
        .rescheduled: [.notRequired, .pending, .paid, .partiallyRefunded],
    ]

    public static func isLegal(
        _ status: Booking.Status, _ payment: Booking.PaymentStatus
    ) -> Bool {
        legal[status]?.contains(payment) == true
    }
}
