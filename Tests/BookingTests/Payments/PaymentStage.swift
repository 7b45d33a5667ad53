import Domain
import Environment
import FakeProvider
import HTTPClient
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

/// A fixture with the payment service in front of pretended providers on a real socket.
final class PaymentStage: Sendable {
    let fixture: Fixture
    let provider: FakeProvider
    let client: HTTPClient
    let service: PaymentService
    let sweeper: PaymentSweeper
    let metrics = Metrics()
    let slot: SlotPlan
    static let tokens = Fixture.tokens
    static let price: Int64 = 100_001

    init(
        _ name: String, capacity: Int = 200, captcha: any CaptchaVerifier = NoCaptcha(),
        clock: Clock = .system
    ) async throws {
        fixture = try await Fixture("pay_\(name)")
        provider = try await FakeProvider.start(on: Fixture.loop)
        provider.set(.keep)
        client = HTTPClient(loop: Fixture.loop)
        let providers = PaymentProviders([
            Midtrans(
                client: client, serverKey: provider.keys.midtransServerKey, snapURL: provider.url,
                coreURL: provider.url),
            Xendit(
                client: client, secretKey: provider.keys.xenditSecretKey,
                callbackToken: provider.keys.xenditCallbackToken, url: provider.url),
        ])
        service = PaymentService(
            pool: fixture.pool, clock: clock, providers: providers,
            tokens: Self.tokens,
            captcha: captcha, site: "https://school.example", committed: {})
        sweeper = PaymentSweeper(
            pool: fixture.pool, providers: providers, loop: Fixture.loop,
            logger: Logger(label: "test", sink: .discarding), metrics: metrics, committed: {})
        slot = SlotPlan(.random(), .random(), capacity: capacity)
        try await fixture.publish([slot])
    }

    func close() async {
        await client.close()
        await provider.close()
        await fixture.pool.close()
    }

    /// A booking that holds a seat and waits for its payment.
    func booking(seconds: Int = 3600, status: String = "pending_payment", price: Int64 = price)
        async throws -> UUID
    {
        let id = UUID.random()
        let basis = status == "pending" ? nil : "customer"
        let seat = status == "pending" ? nil : slot.id
        _ = try await fixture.pool.transaction { [fixture, slot] transaction in
            try await transaction.batch([
                """
                update slot set taken = taken + \(seat == nil ? 0 : 1)::int where id = \(slot.id)
                """,
                """
                insert into booking (id, offering_id, applicant_key, status, confirmed_slot_id,
                    assignment_basis, expires_at, created_at, kind, payment_status, total)
                values (\(id), \(fixture.piano), \(Array(id.description.utf8)), \(status),
                    \(nullable: seat), \(nullable: basis),
                    clock_timestamp() + \(seconds)::int * interval '1 second', clock_timestamp(),
                    'appointment', \(price > 0 ? "pending" : "not_required"), \(price))
                """,
                """
                insert into booking_history (booking_id, at, to_status, actor, action, version)
                values (\(id), clock_timestamp(), \(status), 'public', 'created', 1)
                """,
            ])
        }
        return id
    }

    // MARK: Calls

    @discardableResult
    func create(
        _ booking: UUID, _ change: (inout PaymentV1.CreateRequest) -> Void = { _ in }
    ) async throws -> PaymentV1.Payment {
        var request = PaymentV1.CreateRequest()
        request.bookingId = booking.description
        request.manageToken = PaymentStage.tokens.manage(booking)
        change(&request)
        let answer = try await service.create(
            request, ServerContext(method: PaymentV1.PaymentsMethods.create))
        return try #require(answer.payment)
    }

    @discardableResult
    func deliver(_ callback: FakeProvider.Callback) async throws -> String {
        try await deliver(callback.dialect.rawValue, callback.body, callback.token)
    }

    @discardableResult
    func deliver(_ provider: String, _ body: [UInt8], _ token: String) async throws -> String {
        var request = PaymentV1.ProviderCallbackRequest()
        request.provider = provider
        request.body = GoogleApi.HttpBody()
        request.body?.data = body
        request.callbackToken = token
        return try await service.providerCallback(
            request, ServerContext(method: PaymentV1.PaymentsMethods.providerCallback)
        ).outcome
    }

    /// The customer pays, and the callback arrives.
    @discardableResult
    func pay(_ payment: PaymentV1.Payment) async throws -> String {
        provider.change(payment.id, to: .paid)
        return try await deliver(try #require(provider.kept.last))
    }

    /// Staff takes the whole price.
    @discardableResult
    func record(
        _ booking: UUID, key: String? = nil,
        _ change: (inout PaymentV1.RecordPaymentRequest) -> Void = { _ in }
    ) async throws -> PaymentV1.Payment {
        var request = PaymentV1.RecordPaymentRequest()
        request.bookingId = booking.description
        request.method = .cash
        request.amount = PaymentStage.price
        request.idempotencyKey = key
        change(&request)
        return try #require(
            try await service.recordPayment(
                request, Fixture.admin(PaymentV1.PaymentsMethods.recordPayment)
            ).payment)
    }

    /// The provider says that nothing comes by this charge.
    @discardableResult
    func fail(_ payment: PaymentV1.Payment) async throws -> String {
        provider.change(payment.id, to: .failed)
        return try await deliver(try #require(provider.kept.last))
    }

    /// The customer says that it was paid by other means.
    func submitProof(_ booking: UUID) async throws -> PaymentV1.Payment {
        try await submit(booking, try await upload(Self.picture))
    }

    @discardableResult
    func refund(
        _ booking: UUID, _ amount: Int64?, key: String? = nil, by admin: String = "7"
    ) async throws -> [PaymentV1.Refund] {
        var request = PaymentV1.RefundRequest()
        request.bookingId = booking.description
        request.amount = amount
        request.reason = "goodwill"
        request.idempotencyKey = key
        let context = ServerContext(method: PaymentV1.PaymentsMethods.refund)
        context[PrincipalKey.self] = .admin(id: admin)
        return try await service.refund(request, context).refunds
    }

    @discardableResult
    func settle(_ refund: String, completed: Bool) async throws -> PaymentV1.RefundStatus {
        var request = PaymentV1.SettleRefundRequest()
        request.refundId = refund
        request.completed = completed
        request.reason = "no answer"
        return try #require(
            try await service.settleRefund(
                request, Fixture.admin(PaymentV1.PaymentsMethods.settleRefund)
            ).refund
        ).status
    }

    func ledger(_ booking: UUID) async throws -> PaymentV1.ListResponse {
        var request = PaymentV1.ListRequest()
        request.bookingId = booking.description
        return try await service.list(request, Fixture.admin(PaymentV1.PaymentsMethods.list))
    }

    /// Everything that is to be done is done now.
    func sweep() async throws {
        try await fixture.pool.execute(
            """
            update payment_record set next_question_at = clock_timestamp()
            where next_question_at is not null
            """)
        try await fixture.pool.execute(
            """
            update refund set next_attempt_at = clock_timestamp() where next_attempt_at is not null
            """)
        while try await sweeper.sweep() {}
    }

    func expire(_ booking: UUID) async throws {
        try await fixture.lapse(booking.description)
        try await BookingTransitions(
            store: BookingStore(pool: fixture.pool)
        ).expire(booking)
    }

    /// Staff moves the booking.
    func move(_ booking: UUID, _ command: BookingCommand) async throws {
        _ = try await BookingTransitions(
            store: BookingStore(pool: fixture.pool)
        ).run(BookingTransitions.Order(booking: booking, command: command, actor: "admin:7")) {
            BookingV1.Booking($0.booking)
        }
    }

    /// The visit begins, whenever its slot does.
    func checkIn(_ booking: UUID) async throws {
        let now = Instant.now()
        try await move(
            booking,
            .checkIn(
                startsAt: now, endsAt: now + .seconds(3600), lead: .seconds(3600),
                until: now + .seconds(3600)))
    }

    /// "status payment_status".
    func state(_ booking: UUID) async throws -> String {
        try await fixture.text(
            "select status || ' ' || payment_status from booking where id = \(booking)")
    }

    func history(_ booking: UUID) async throws -> String {
        try await fixture.text(
            """
            select string_agg(action, ',' order by version) from booking_history
            where booking_id = \(booking)
            """)
    }

    /// What must hold in the whole database, whatever has happened.
    func checkInvariants(_ location: SourceLocation = #_sourceLocation) async throws {
        // Its bookings take their seats without claims.
        let invariants = KernelInvariants.seats + KernelInvariants.cases + KernelInvariants.money
        try await fixture.check(invariants, location)
    }
}
