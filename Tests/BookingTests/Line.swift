import Domain
import Environment
import Postgres
import RPC
import Schema
import TestKit
import Testing

@testable import Booking

/// A clinic with waiting lists.
struct Line {
    let clinic: Clinic
    let waitlists: WaitlistService
    let sweeper: SeatSweep

    init(_ name: String, poolSize: Int = 8, payment: String = "online") async throws {
        clinic = try await Clinic(name, poolSize: poolSize, payment: payment)
        waitlists = WaitlistService(
            pool: clinic.fixture.pool, clock: .system, tokens: clinic.tokens, committed: {})
        sweeper = SeatSweep(store: BookingStore(pool: clinic.fixture.pool))
    }

    func join(
        _ slot: SlotPlan, _ quantity: Int32 = 1, email: String = "\(UUID.random())@example.com",
        key: String = "\(UUID.random())",
        _ change: (inout BookingV1.JoinWaitlistRequest) -> Void = { _ in }
    ) async throws -> BookingV1.JoinWaitlistResponse {
        var request = BookingV1.JoinWaitlistRequest()
        (request.slotId, request.quantity) = (slot.id.description, quantity)
        (request.fullName, request.email, request.consent) = ("Citra Lestari", email, true)
        request.idempotencyKey = key
        change(&request)
        return try await waitlists.joinWaitlist(
            request, ServerContext(method: BookingV1.WaitlistsMethods.joinWaitlist))
    }

    func look(_ token: String) async throws -> BookingV1.GetWaitlistEntryResponse {
        var request = BookingV1.GetWaitlistEntryRequest()
        request.token = token
        return try await waitlists.getWaitlistEntry(
            request, ServerContext(method: BookingV1.WaitlistsMethods.getWaitlistEntry))
    }

    func status(_ joined: BookingV1.JoinWaitlistResponse) async throws
        -> BookingV1.WaitlistStatus?
    {
        try await look(joined.token).entry?.status
    }

    @discardableResult
    func leave(_ token: String, key: String? = nil) async throws -> BookingV1.WaitlistEntry? {
        var request = BookingV1.LeaveWaitlistRequest()
        (request.token, request.idempotencyKey) = (token, key)
        return try await waitlists.leaveWaitlist(
            request, ServerContext(method: BookingV1.WaitlistsMethods.leaveWaitlist)
        ).entry
    }

    @discardableResult
    func claim(
        _ token: String, key: String? = nil
    ) async throws -> BookingV1.ClaimOfferResponse {
        var request = BookingV1.ClaimOfferRequest()
        (request.token, request.idempotencyKey) = (token, key)
        return try await waitlists.claimOffer(
            request, ServerContext(method: BookingV1.WaitlistsMethods.claimOffer))
    }

    /// Claims, and makes a booking of it.
    func book(_ token: String) async throws -> BookingV1.ConfirmHoldResponse {
        let claimed = try await claim(token)
        var placed = BookingV1.PlaceHoldResponse()
        (placed.hold, placed.token) = (claimed.hold, claimed.holdToken)
        return try await clinic.confirm(placed)
    }

    func cancel(_ booked: BookingV1.ConfirmHoldResponse) async throws {
        var request = BookingV1.CancelByManageTokenRequest()
        request.token = booked.manageToken
        _ = try await clinic.appointments.cancelByManageToken(
            request, ServerContext(method: BookingV1.AppointmentsMethods.cancelByManageToken))
    }

    /// Lets the time of an offer be over.
    func lapse(_ joined: BookingV1.JoinWaitlistResponse) async throws {
        let id = try #require(joined.entry.flatMap { UUID($0.id) })
        try await clinic.fixture.pool.execute(
            """
            update hold set expires_at = clock_timestamp() - interval '1 millisecond'
            where entry_id = \(id) and status = 'pending'
            """)
    }

    /// Everything that the sweeper would do now.
    func sweepAll() async throws {
        while try await roundOnce() {}
    }

    private func roundOnce() async throws -> Bool {
        var isChanged = false
        for slot in try await sweeper.lapsed(limit: 100) where try await sweeper.settle(slot) {
            isChanged = true
        }
        return isChanged
    }

    /// The actions of an entry, oldest first.
    func story(_ joined: BookingV1.JoinWaitlistResponse) async throws -> [String] {
        let id = try #require(joined.entry.flatMap { UUID($0.id) })
        return try await clinic.fixture.pool.query(
            "select action from waitlist_history where entry_id = \(id) order by version"
        ).map { try $0[0] }
    }

    /// Seats that the street sees.
    func seen(_ slot: SlotPlan) async throws -> Int {
        try await BookingStore(pool: clinic.fixture.pool).pool.query(
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(slot.id)"
        ).map(SlotRow.read).first?.remaining ?? -1
    }

    func sweep(_ location: SourceLocation = #_sourceLocation) async throws {
        try await clinic.sweep(location)
    }
}
