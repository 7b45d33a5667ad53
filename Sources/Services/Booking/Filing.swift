import Domain
import Environment
import Schema

/// What a request for a course becomes: the booking, the charge that its proof stands for, the
/// answer and the event. Pure.
struct Filing: Sendable {
    let registration: Registration
    let offering: Offering
    /// As it is created.
    let booking: Booking
    /// What the proof shows to be paid, for an admin to look at; nil for a course that is free.
    let charge: Payment?
    let response: BookingV1.RegisterCourseResponse
    let event: OutboxEvent

    init(
        _ registration: Registration, _ course: RegistrationStore.Look.Course,
        _ look: RegistrationStore.Look
    ) throws(DomainError) {
        let (offering, now) = (course.offering, course.readAt)
        var booking = Booking(
            id: .timeOrdered(now), offeringID: offering.id, status: .pending,
            firstChoice: registration.firstChoice, secondChoice: registration.secondChoice,
            expiresAt: now + course.requestTime, createdAt: now, version: 1,
            offeringCode: offering.code)
        (booking.total, booking.currency) = (offering.price, offering.currency)
        var subject = PaymentCase(booking, PaymentAccount())
        var charge: Payment?
        if registration.proof != nil, booking.total > 0 {
            let payment = try PaymentOpening.proof(subject, now)
            _ = try subject.add(payment, now: now)
            charge = payment
        }
        let demand = Dictionary(
            look.slots.map { ($0.id, $0.demand + 1) }, uniquingKeysWith: { first, _ in first })
        var response = BookingV1.RegisterCourseResponse()
        response.booking = BookingV1.Booking(subject.booking)
        response.warnings = Self.warnings(registration, look.slots, now)
        event = BookingEvents.created(booking, offering, demand: demand)
        self.registration = registration
        self.offering = offering
        self.booking = booking
        self.charge = charge
        self.response = response
    }

    private static func warnings(
        _ registration: Registration, _ slots: [Slot], _ now: Instant
    ) -> [String] {
        [(registration.firstChoice, "first"), (registration.secondChoice, "second")]
            .compactMap { choice, name in
                guard let slot = slots.first(where: { $0.id == choice }),
                    !slot.isAvailable(at: now)
                else { return nil }
                return "the \(name) choice is already taken at the moment"
            }
    }
}
