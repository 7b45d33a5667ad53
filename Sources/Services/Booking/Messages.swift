import Domain
import Environment
import Protobuf
import Schema

// The one place where values of the domain become messages of the contract.

extension BookingV1.Booking {
    init(_ booking: Booking) {
        self.init()
        id = booking.id.description
        status = BookingV1.BookingStatus(booking.status)
        courseId = booking.offeringID.description
        firstChoiceSlotId = booking.firstChoice?.description
        secondChoiceSlotId = booking.secondChoice?.description
        confirmedSlotId = booking.confirmedSlot?.description
        expiresAt = GoogleProtobuf.Timestamp(booking.expiresAt)
        confirmedAt = booking.confirmedAt.map { GoogleProtobuf.Timestamp($0) }
        createdAt = GoogleProtobuf.Timestamp(booking.createdAt)
        needsSlot = booking.needsSlot
        assignmentBasis =
            switch booking.basis {
            case .firstChoice: .firstChoice
            case .secondChoice: .secondChoice
            case .adminOverride: .adminOverride
            case .customer: .customer
            case .external: .external
            case nil: nil
            }
        version = booking.version
        paymentStatus = BookingV1.PaymentStatus(booking.paymentStatus)
        quantity = Int32(clamping: booking.quantity)
        total = booking.total
        discount = booking.discount
        finalAmount = booking.finalAmount
        currency = booking.currency
        rescheduledFrom = booking.rescheduledFrom?.description
        rescheduledTo = booking.rescheduledTo?.description
        holdId = booking.holdID?.description
        cancelledAt = booking.cancelledAt.map { GoogleProtobuf.Timestamp($0) }
        checkedInAt = booking.checkedInAt.map { GoogleProtobuf.Timestamp($0) }
        completedAt = booking.completedAt.map { GoogleProtobuf.Timestamp($0) }
    }
}

extension BookingV1.BookingStatus {
    init(_ status: Booking.Status) {
        self =
            switch status {
            case .pending: .pending
            case .confirmed: .confirmed
            case .rejected: .rejected
            case .cancelled: .cancelled
            case .expired: .expired
            case .pendingPayment: .pendingPayment
            case .inProgress: .inProgress
            case .completed: .completed
            case .noShow: .noShow
            case .rescheduled: .rescheduled
            }
    }
}

extension BookingV1.PaymentStatus {
    init(_ status: Booking.PaymentStatus) {
        self =
            switch status {
            case .notRequired: .notRequired
            case .pending: .pending
            case .paid: .paid
            case .failed: .failed
            case .partiallyRefunded: .partiallyRefunded
            case .refunded: .refunded
            }
    }
}

extension BookingV1.NamedResource {
    init(_ resource: NamedResource) {
        self.init()
        id = resource.id.description
        name = resource.name
        kind = resource.kind
    }
}

extension BookingV1.Offering {
    init(_ offering: Offering) {
        self.init()
        id = offering.id.description
        code = offering.code
        title = offering.title
        claimAt = offering.claimAt == .publish ? .publish : .assign
        timeZone = offering.timeZone
        locationId = offering.locationID?.description
        policy = offering.policy
        price = offering.price
        currency = offering.currency
        kind = offering.kind
    }
}

extension BookingV1.Slot {
    init(_ slot: Slot) {
        self.init()
        id = slot.id.description
        courseId = slot.offering.id.description
        courseCode = slot.offering.code
        courseTitle = slot.offering.title
        instructor = slot.instructor.map { BookingV1.NamedResource($0) }
        room = slot.room.map { BookingV1.NamedResource($0) }
        resources = slot.resources.map { BookingV1.NamedResource($0) }
        startTime = GoogleProtobuf.Timestamp(slot.startsAt)
        endTime = GoogleProtobuf.Timestamp(slot.endsAt)
        capacity = Int32(clamping: slot.capacity)
        slotsRemaining = Int32(clamping: max(0, slot.remaining))
        demand = Int32(clamping: slot.demand)
        status =
            switch slot.status {
            case .maintenance: .maintenance
            case .unavailable: .unavailable
            case .available where slot.isBlocked: .unavailable
            case .available where !slot.isBlocked && slot.remaining <= 0: .booked
            case .available: .available
            }
        version = slot.version
        timeZone = slot.timeZone
        locationId = slot.locationID?.description
        localDate = slot.localDate.description
        price = slot.price
        currency = slot.offering.currency
        policy = slot.offering.policy
        opensAt = slot.bookingTimes.opens.map { GoogleProtobuf.Timestamp($0) }
        closesAt = GoogleProtobuf.Timestamp(slot.bookingTimes.closes)
    }
}

extension BookingV1.Conflict {
    init(_ conflict: Conflict) {
        self.init()
        resource = BookingV1.NamedResource(conflict.resource)
        resourceKind = conflict.resource.kind
        startTime = GoogleProtobuf.Timestamp(conflict.startsAt)
        endTime = GoogleProtobuf.Timestamp(conflict.endsAt)
        bookingId = conflict.bookingID?.description
        slotId = conflict.slotID?.description
        blockId = conflict.blockID?.description
        reason = conflict.reason
    }

    init(forCustomers conflict: Conflict) {
        self.init(conflict)
        bookingId = nil
        blockId = nil
        reason = ""
    }
}
