import Domain
import Environment
import Postgres
import RPC
import Schema
import TestKit
import Testing

@testable import Booking

/// A fixture whose courses are booked by holds: `choir` in groups, `piano` one by one.
struct Clinic {
    let fixture: Fixture
    let tokens = Fixture.tokens
    let holds: HoldService
    let appointments: AppointmentService

    init(_ name: String, poolSize: Int = 8, price: Int = 50_000, payment: String = "online")
        async throws
    {
        fixture = try await Fixture(name, poolSize: poolSize)
        holds = HoldService(
            pool: fixture.pool, clock: .system, tokens: tokens, committed: {})
        appointments = AppointmentService(
            pool: fixture.pool, clock: .system, tokens: tokens, committed: {})
        try await fixture.pool.execute(
            "update policy set payment = \(payment) where code = 'clinic'")
        try await fixture.pool.execute(
            "update offering set policy = 'clinic', price = \(price)::bigint")
    }

    /// A group slot on its own resources.
    func slot(capacity: Int, day: Int = 1, hour: Int = 9) async throws -> SlotPlan {
        let slot = SlotPlan(.random(), .random(), day: day, hour: hour, capacity: capacity)
        try await fixture.publish([slot], of: fixture.choir)
        return slot
    }

    func place(
        _ slot: SlotPlan, _ quantity: Int32 = 1, holder: String = "\(UUID.random())",
        key: String = "\(UUID.random())"
    ) async throws -> BookingV1.PlaceHoldResponse {
        var request = BookingV1.PlaceHoldRequest()
        request.slotId = slot.id.description
        request.quantity = quantity
        request.holder = holder
        request.idempotencyKey = key
        return try await holds.placeHold(
            request, ServerContext(method: BookingV1.HoldsMethods.placeHold))
    }

    func extend(_ placed: BookingV1.PlaceHoldResponse, token: String? = nil) async throws
        -> BookingV1.Hold
    {
        var request = BookingV1.ExtendHoldRequest()
        request.holdId = placed.hold?.id ?? ""
        request.token = token ?? placed.token
        return try #require(
            try await holds.extendHold(
                request, ServerContext(method: BookingV1.HoldsMethods.extendHold)
            ).hold)
    }

    @discardableResult
    func release(_ placed: BookingV1.PlaceHoldResponse, token: String? = nil) async throws
        -> BookingV1.Hold
    {
        var request = BookingV1.ReleaseHoldRequest()
        request.holdId = placed.hold?.id ?? ""
        request.token = token ?? placed.token
        return try #require(
            try await holds.releaseHold(
                request, ServerContext(method: BookingV1.HoldsMethods.releaseHold)
            ).hold)
    }

    func confirm(
        _ placed: BookingV1.PlaceHoldResponse, email: String = "\(UUID.random())@example.com",
        key: String = "\(UUID.random())",
        _ change: (inout BookingV1.ConfirmHoldRequest) -> Void = { _ in }
    ) async throws -> BookingV1.ConfirmHoldResponse {
        var request = BookingV1.ConfirmHoldRequest()
        request.holdId = placed.hold?.id ?? ""
        request.token = placed.token
        request.fullName = "Citra Lestari"
        request.email = email
        request.phone = "+6281234567890"
        request.subjectName = "Mochi"
        request.subjectKind = "cat"
        request.notes = "limps on the left"
        request.consent = true
        request.idempotencyKey = key
        change(&request)
        return try await holds.confirmHold(
            request, ServerContext(method: BookingV1.HoldsMethods.confirmHold))
    }

    /// A booking of one seat.
    func booked(_ slot: SlotPlan) async throws -> BookingV1.ConfirmHoldResponse {
        try await confirm(try await place(slot))
    }

    /// Lets the time of every hold, and of every unpaid booking, be over.
    func lapse() async throws {
        try await fixture.pool.execute(
            """
            update hold set expires_at = clock_timestamp() - interval '1 millisecond'
            where status = 'pending'
            """)
        try await fixture.pool.execute(
            """
            update booking set expires_at = clock_timestamp() - interval '1 millisecond'
            where status = 'pending_payment'
            """)
    }

    /// What must be true whenever nothing runs.
    func sweep(_ location: SourceLocation = #_sourceLocation) async throws {
        try await fixture.check(KernelInvariants.all, location)
    }
}
