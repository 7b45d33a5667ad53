import Crypto
import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.payment.v1.Payments`.
public struct PaymentService: PaymentV1.PaymentsService {
    let desk: PaymentDesk
    let opening: PaymentOpening
    let callbacks: CallbackDesk
    let proofs: ProofStore
    private let clock: Clock
    private let tokens: BookingTokens
    private let captcha: any CaptchaVerifier
    private let site: String
    private let addresses: ProofAddress
    private let committed: @Sendable () -> Void

    /// - Parameters:
    ///   - clock: for the age of keys; what lapses does so by the database's.
    ///   - site: where customers reach us, `https://school.example`; empty without one.
    ///   - committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, clock: Clock, providers: PaymentProviders, tokens: BookingTokens,
        captcha: any CaptchaVerifier, site: String = "",
        committed: @escaping @Sendable () -> Void
    ) {
        desk = PaymentDesk(pool: pool)
        opening = PaymentOpening(desk: desk, providers: providers)
        callbacks = CallbackDesk(desk: desk, providers: providers)
        proofs = ProofStore(pool: pool)
        self.clock = clock
        self.tokens = tokens
        self.captcha = captcha
        self.site = site
        addresses = ProofAddress(site: site)
        self.committed = committed
    }

    // MARK: Customers

    public func create(
        _ request: PaymentV1.CreateRequest, _ context: ServerContext
    ) async throws -> PaymentV1.CreateResponse {
        var rules = FieldRules()
        if !request.returnPath.isEmpty {
            rules.text(request.returnPath, "return_path", limit: 500)
            // "//host" would lead elsewhere.
            if !request.returnPath.hasPrefix("/") || request.returnPath.hasPrefix("//") {
                rules.refuse("return_path", "is not a path of this site")
            }
        }
        let booking = try admitted(
            request.bookingId, request.manageToken, request.idempotencyKey, &rules, context)
        let url = site.isEmpty || request.returnPath.isEmpty ? nil : site + request.returnPath
        return try await mapped {
            try await opening.create(
                booking, provider: request.provider, returnURL: url,
                actor: context.principal.actor, use(request.idempotencyKey, request, context))
        }
    }

    public func uploadProof(
        _ request: PaymentV1.UploadProofRequest, _ context: ServerContext
    ) async throws -> PaymentV1.UploadProofResponse {
        let content = request.file?.data ?? []
        guard content.count <= ProofStore.sizeLimit else {
            throw DomainError(.payloadTooLarge, "the file is larger than 5 MiB")
        }
        // The captcha's token is used up by the first try: the answer comes before it, and does
        // not depend on it.
        var asked = request
        asked.captchaToken = ""
        let use = try IdempotencyTable.Use(
            checked: request.idempotencyKey, for: asked, context, at: clock.now())
        let pool = desk.store.pool
        let known: PaymentV1.UploadProofResponse? = try await DomainError.mapping {
            try await IdempotencyTable.answered(use, on: pool)
        }
        if let known { return known }
        do {
            try await captcha.verify(request.captchaToken)
        } catch {
            // Its first try may have used the token up meanwhile.
            let known: PaymentV1.UploadProofResponse? = try? await IdempotencyTable.answered(
                use, on: pool)
            guard let known else { throw error }
            return known
        }
        guard let type = ProofStore.type(of: content) else {
            throw DomainError(
                .unsupportedMediaType, "the file is no JPEG, PNG, WebP or PDF")
        }
        let proof = ProofStore.Proof(id: .random(), contentType: type, content: content)
        return try await mapped {
            try await IdempotencyTable.perform(use, on: pool) { transaction, _ in
                try await proofs.keep(proof, transaction)
                var response = PaymentV1.UploadProofResponse()
                response.proofId = proof.id.description
                response.size = Int32(content.count)
                response.contentType = type
                response.url = addresses.address(of: proof.id)
                return response
            }
        }
    }

    public func submitProof(
        _ request: PaymentV1.SubmitProofRequest, _ context: ServerContext
    ) async throws -> PaymentV1.SubmitProofResponse {
        var rules = FieldRules()
        let proof = rules.uuid(request.proofId, "proof_id")
        let booking = try admitted(
            request.bookingId, request.manageToken, request.idempotencyKey, &rules, context)
        guard let proof else { throw rules.refusal }
        return try await perform(request.idempotencyKey, request, context) { transaction, last in
            var (subject, now) = try await desk.lock(booking, transaction)
            try await desk.requireSlot(of: subject.booking, transaction)
            if let open = subject.account.open {
                throw DomainError(
                    .invalidTransition, "a payment by \(open.provider) is open already")
            }
            guard subject.account.rejectedProofs < PaymentAccount.rejectedProofLimit else {
                throw DomainError(
                    .paymentFailed,
                    "\(PaymentAccount.rejectedProofLimit) proofs were rejected; pay at the desk")
            }
            var payment = try PaymentOpening.proof(subject, now)
            if subject.booking.status == .pendingPayment {
                let review = ProofReview(booking: subject.booking.id)
                guard try await transaction.query(review.begin).first != nil else {
                    throw BookingRules.expired(subject.booking)
                }
            }
            try await desk.add(
                payment, to: &subject, nextQuestion: nil, actor: context.principal.actor, now,
                transaction, &last)
            try await proofs.claim(
                proof, of: subject.booking.id, for: payment.id, field: "proof_id", transaction)
            payment.proofID = proof
            var response = PaymentV1.SubmitProofResponse()
            response.payment = PaymentV1.Payment(payment)
            return response
        }
    }

    public func quoteCancellation(
        _ request: PaymentV1.QuoteCancellationRequest, _ context: ServerContext
    ) async throws -> PaymentV1.QuoteCancellationResponse {
        var rules = FieldRules()
        let booking = try admitted(
            request.bookingId, request.manageToken, nil, &rules, context)
        return try await quote(booking)
    }

    public func quoteCancellationForAdmin(
        _ request: PaymentV1.QuoteCancellationRequest, _ context: ServerContext
    ) async throws -> PaymentV1.QuoteCancellationResponse {
        try await quote(try FieldRules.uuid(request.bookingId, only: "booking_id"))
    }

    private func quote(_ booking: UUID) async throws -> PaymentV1.QuoteCancellationResponse {
        try await mapped {
            try await desk.store.pool.transaction { transaction in
                let (subject, now) = try await desk.lock(booking, transaction)
                let terms = try await desk.store.terms(of: subject.booking.id, transaction)
                return PaymentV1.QuoteCancellationResponse(
                    CancellationQuote(
                        subject.account, terms.policy, price: subject.booking.finalAmount,
                        startsAt: terms.startsAt, now: now), subject.booking)
            }
        }
    }

    // MARK: Providers

    public func providerCallback(
        _ request: PaymentV1.ProviderCallbackRequest, _ context: ServerContext
    ) async throws -> PaymentV1.ProviderCallbackResponse {
        let callback = PaymentCallback(
            body: request.body?.data ?? [], token: request.callbackToken)
        let outcome = try await mapped {
            try await callbacks.take(callback, from: request.provider)
        }
        var response = PaymentV1.ProviderCallbackResponse()
        response.outcome = outcome.rawValue
        return response
    }

    // MARK: Admins

    public func getProof(
        _ request: PaymentV1.GetProofRequest, _ context: ServerContext
    ) async throws -> GoogleApi.HttpBody {
        let proof: ProofStore.Proof?
        if request.proofId.isEmpty {
            let payment = try FieldRules.uuid(request.paymentId, only: "payment_id")
            proof = try await mapped { try await proofs.find(payment: payment) }
        } else {
            let id = try FieldRules.uuid(request.proofId, only: "proof_id")
            proof = try await mapped { try await proofs.find(id) }
        }
        guard let proof else {
            throw DomainError(.paymentNotFound, "there is no such proof")
        }
        var body = GoogleApi.HttpBody()
        body.contentType = proof.contentType
        body.data = proof.content
        return body
    }

    public func reviewProof(
        _ request: PaymentV1.ReviewProofRequest, _ context: ServerContext
    ) async throws -> PaymentV1.ReviewProofResponse {
        var rules = FieldRules()
        rules.text(request.reason, "reason", limit: 500, required: !request.approve)
        let id = rules.uuid(request.paymentId, "payment_id")
        rules.key(request.idempotencyKey)
        guard rules.areKept, let id else { throw rules.refusal }
        return try await perform(request.idempotencyKey, request, context) { transaction, last in
            guard let known = try await desk.store.payment(id), known.provider == Payment.manual
            else { throw Self.noPayment }
            var (subject, now) = try await desk.lock(known.bookingID, transaction)
            guard var payment = subject.account.payments.first(where: { $0.id == id }) else {
                throw Self.noPayment
            }
            guard payment.status == .pending else {
                throw DomainError(
                    .invalidTransition,
                    "a payment that is \(payment.status.rawValue) cannot be reviewed")
            }
            payment.status = request.approve ? .completed : .failed
            payment.paidAt = request.approve ? now : nil
            payment.failure = request.approve ? "" : request.reason
            try await desk.change(
                payment, of: &subject, actor: context.principal.actor, now, transaction, &last)
            if payment.status == .failed {
                let review = ProofReview(booking: subject.booking.id)
                _ = try await transaction.execute(review.reject(payment))
            }
            var response = PaymentV1.ReviewProofResponse()
            response.payment = PaymentV1.Payment(payment)
            return response
        }
    }

    public func recordPayment(
        _ request: PaymentV1.RecordPaymentRequest, _ context: ServerContext
    ) async throws -> PaymentV1.RecordPaymentResponse {
        var rules = FieldRules()
        let booking = rules.uuid(request.bookingId, "booking_id")
        let method: String? =
            switch request.method {
            case .cash: "cash"
            case .card: "card"
            case .transfer: "transfer"
            default: nil
            }
        if method == nil { rules.refuse("method", "is not cash, card or transfer") }
        rules.text(request.reference, "reference", limit: 200, required: false)
        if request.amount <= 0 { rules.refuse("amount", "is not positive") }
        rules.key(request.idempotencyKey)
        guard rules.areKept, let booking, let method else { throw rules.refusal }
        return try await perform(request.idempotencyKey, request, context) { transaction, last in
            var (subject, now) = try await desk.lock(booking, transaction)
            try await desk.requireSlot(of: subject.booking, transaction)
            let payment = try await desk.record(
                request.amount, by: method, reference: request.reference, in: &subject,
                actor: context.principal.actor, now, transaction, &last)
            var response = PaymentV1.RecordPaymentResponse()
            response.payment = PaymentV1.Payment(payment)
            return response
        }
    }

    public func refund(
        _ request: PaymentV1.RefundRequest, _ context: ServerContext
    ) async throws -> PaymentV1.RefundResponse {
        var rules = FieldRules()
        rules.text(request.reason, "reason", limit: 500)
        let booking = rules.uuid(request.bookingId, "booking_id")
        if let amount = request.amount, amount <= 0 { rules.refuse("amount", "is not positive") }
        rules.key(request.idempotencyKey)
        guard rules.areKept, let booking else { throw rules.refusal }
        return try await perform(request.idempotencyKey, request, context) { transaction, last in
            var (subject, now) = try await desk.lock(booking, transaction)
            let quote = try Self.refund(request.amount, subject)
            let made = try await desk.request(
                quote, reason: request.reason,
                // Never the caller's key: another caller's may be the same, or this one's later.
                key: "asked:\(context.principal.actor):\(UUID.timeOrdered(now))",
                actor: context.principal.actor, of: &subject, now, transaction, &last)
            var response = PaymentV1.RefundResponse()
            response.refunds = made.compactMap { refund in
                subject.account.payments.first { $0.id == refund.paymentID }.map {
                    PaymentV1.Refund(refund, of: $0)
                }
            }
            return response
        }
    }

    /// What is asked for, if that much is left and the booking does not stay without any.
    static func refund(_ amount: Int64?, _ subject: PaymentCase) throws(DomainError)
        -> CancellationQuote
    {
        let account = subject.account
        guard account.charged > 0 else {
            throw DomainError(.invalidTransition, "nothing was paid")
        }
        guard let quote = CancellationQuote(amount ?? account.kept, of: account) else {
            throw DomainError(
                .invalidTransition, "only \(account.kept) of what was paid is left")
        }
        // Before a provider is asked: what it has given back must be written down.
        let status = subject.booking.status
        guard BookingState.isLegal(status, quote.kept == 0 ? .refunded : .partiallyRefunded) else {
            throw DomainError(.invalidTransition, Self.instead(of: status))
        }
        return quote
    }

    /// What can be done where a refund cannot.
    private static func instead(of status: Booking.Status) -> String {
        switch status {
        case .pending:
            "a request that is pending is rejected or cancelled to give money back, or confirmed "
                + "first"
        case .inProgress:
            "a visit that is in progress is completed first, to give everything back"
        default: "a booking that is \(status.rawValue) is cancelled to give everything back"
        }
    }

    public func settleRefund(
        _ request: PaymentV1.SettleRefundRequest, _ context: ServerContext
    ) async throws -> PaymentV1.SettleRefundResponse {
        var rules = FieldRules()
        rules.text(request.reason, "reason", limit: 500, required: !request.completed)
        let id = rules.uuid(request.refundId, "refund_id")
        rules.key(request.idempotencyKey)
        guard rules.areKept, let id else { throw rules.refusal }
        return try await perform(request.idempotencyKey, request, context) { transaction, last in
            guard let booking = try await desk.store.bookingID(ofRefund: id, transaction) else {
                throw DomainError(.paymentNotFound, "there is no such refund")
            }
            var (subject, now) = try await desk.lock(booking, transaction)
            guard var refund = subject.account.refunds.first(where: { $0.id == id }),
                let payment = subject.account.payments.first(where: { $0.id == refund.paymentID })
            else { throw DomainError(.paymentNotFound, "there is no such refund") }
            guard refund.status == .requested else {
                throw DomainError(
                    .invalidTransition,
                    "a refund that is \(refund.status.rawValue) cannot be settled")
            }
            // It may have been made already, its answer lost.
            guard refund.nextAttempt == nil else {
                throw DomainError(
                    .invalidTransition,
                    "\(payment.provider) is still asked to make this refund: it can be settled "
                        + "once \(payment.provider) cannot")
            }
            refund.status = request.completed ? .completed : .failed
            refund.completedAt = request.completed ? now : nil
            refund.failure = request.completed ? "" : request.reason
            try await desk.change(
                refund, of: &subject, actor: context.principal.actor, now, transaction, &last)
            var response = PaymentV1.SettleRefundResponse()
            response.refund = PaymentV1.Refund(refund, of: payment)
            return response
        }
    }

    public func list(
        _ request: PaymentV1.ListRequest, _ context: ServerContext
    ) async throws -> PaymentV1.ListResponse {
        let booking = try FieldRules.uuid(request.bookingId, only: "booking_id")
        let account = try await mapped { try await desk.store.account(of: booking) }
        var response = PaymentV1.ListResponse()
        response.payments = account.payments.map { PaymentV1.Payment($0) }
        response.refunds = account.refunds.compactMap { refund in
            account.payments.first { $0.id == refund.paymentID }.map {
                PaymentV1.Refund(refund, of: $0)
            }
        }
        response.charged = account.charged
        response.refunded = account.refunded
        response.refundDue = account.due
        response.currency = account.payments.first?.currency ?? ""
        return response
    }

    public func listOpen(
        _ request: PaymentV1.ListOpenRequest, _ context: ServerContext
    ) async throws -> PaymentV1.ListOpenResponse {
        try await mapped {
            var response = PaymentV1.ListOpenResponse()
            response.proofs = try await desk.store.proofsToReview().map { PaymentV1.Payment($0) }
            response.refunds = try await desk.store.refundsByHand().map {
                PaymentV1.Refund($0, of: $1)
            }
            return response
        }
    }

    // MARK: Pieces

    private static let noPayment = DomainError(.paymentNotFound, "there is no such payment")

    /// The booking, when the caller may manage it: with its token, or as staff.
    private func admitted(
        _ text: String, _ token: String, _ key: String?, _ rules: inout FieldRules,
        _ context: ServerContext
    ) throws(DomainError) -> UUID {
        let booking = rules.uuid(text, "booking_id")
        rules.key(key)
        guard rules.areKept, let booking else { throw rules.refusal }
        if context.principal.isAdmin { return booking }
        guard tokens.booking(managedBy: token) == booking else {
            throw DomainError(.forbidden, "the manage token is not one of this booking")
        }
        return booking
    }

    private func use(_ key: String?, _ request: some Message, _ context: ServerContext)
        -> IdempotencyTable.Use?
    {
        key.map { IdempotencyTable.Use($0, for: request, context, at: clock.now()) }
    }

    private func perform<Response: Message>(
        _ key: String?, _ request: some Message, _ context: ServerContext,
        _ body: (PostgresTransaction, inout [SQL]) async throws -> Response
    ) async throws -> Response {
        try await mapped {
            try await IdempotencyTable.perform(
                use(key, request, context), on: desk.store.pool, body)
        }
    }

    private func mapped<T>(
        _ body: nonisolated(nonsending) () async throws -> T
    ) async throws -> T {
        defer { committed() }
        return try await DomainError.mapping(body)
    }
}
