import Crypto
import Environment
import HTTP1
public import HTTPClient
import Protobuf

/// Xendit's invoices and refunds (developers.xendit.co: /v2/invoices, /refunds, callbacks).
public struct Xendit: PaymentProvider {
    public var code: String { "xendit" }
    private let http: ProviderHTTP
    private let callbackToken: String

    public init(
        client: HTTPClient, secretKey: String, callbackToken: String,
        url: String = "https://api.xendit.co"
    ) {
        http = ProviderHTTP(client: client, base: url, secret: secretKey)
        self.callbackToken = callbackToken
    }

    public func open(
        _ payment: Payment, for time: Duration, returnURL: String?
    ) async throws -> PaymentPage {
        // An earlier call whose answer was lost may have made it.
        if let known = try await find(payment) { return try page(known) }
        let seconds = time.components.seconds
        var body: [(String, JSONValue)] = [
            ("external_id", .string(payment.id.description)),
            ("amount", .number(MinorUnits.text(payment.amount, payment.currency))),
            ("currency", .string(payment.currency)),
            ("invoice_duration", .number(String(max(60, seconds)))),
        ]
        if let returnURL { body.append(("success_redirect_url", .string(returnURL))) }
        let answer = try await http.call(
            .post, "/v2/invoices", .object(body),
            fields: [("x-idempotency-key", payment.id.description)])
        guard (200..<300).contains(answer.status) else { throw refusal(answer) }
        return try page(answer.json)
    }

    private func page(_ invoice: JSONValue) throws -> PaymentPage {
        guard let url = invoice["invoice_url"]?.string, let id = invoice["id"]?.string else {
            throw PaymentProviderError(
                .malformed, "Xendit's invoice has no page", blame: .provider)
        }
        return PaymentPage(url: url, providerPaymentID: id)
    }

    private func find(_ payment: Payment) async throws -> JSONValue? {
        let answer = try await http.call(.get, "/v2/invoices?external_id=\(payment.id)")
        if answer.status == 404 { return nil }
        guard answer.status == 200, let list = answer.json.array else { throw refusal(answer) }
        // The paid one, if several have the name.
        return list.first { Self.status($0["status"]?.string ?? "") == .completed } ?? list.first
    }

    private func refusal(_ answer: ProviderHTTP.Answer) -> PaymentProviderError {
        PaymentProviderError(
            .refused, "Xendit refuses", blame: .provider,
            cause: "\(answer.status) \(answer.json["error_code"]?.string ?? "")")
    }

    // MARK: Reports

    public func read(_ callback: PaymentCallback) throws(PaymentProviderError) -> PaymentReport {
        guard !callback.token.isEmpty, constantTimeEqual(callback.token, callbackToken) else {
            throw PaymentProviderError(.forged, "the callback's token is wrong", blame: .caller)
        }
        guard let json = try? JSONValue.parse(callback.body) else {
            throw PaymentProviderError(.malformed, "the callback is no JSON", blame: .caller)
        }
        return try report(json)
    }

    private func report(_ json: JSONValue) throws(PaymentProviderError) -> PaymentReport {
        let currency = json["currency"]?.string ?? "IDR"
        let said = json["status"]?.string ?? ""
        let status = Self.status(said)
        // What was paid, where it was; an invoice may be paid in part.
        let money =
            status == .completed ? json["paid_amount"] ?? json["amount"] : json["amount"]
        guard let id = json["external_id"]?.string.flatMap({ UUID($0) }), !said.isEmpty,
            let amount = money?.plain.flatMap({ MinorUnits.parse($0, currency) })
        else {
            throw PaymentProviderError(
                .malformed, "Xendit names no invoice, status or amount", blame: .provider)
        }
        var report = PaymentReport(
            payment: id, status: status, amount: amount, currency: currency)
        report.said = said
        report.providerPaymentID = json["id"]?.string ?? ""
        report.method = json["payment_method"]?.string ?? ""
        report.paidAt = json["paid_at"]?.string.flatMap { Instant(rfc3339: $0) }
        report.fee =
            json["fees_paid_amount"]?.plain.flatMap { MinorUnits.parse($0, currency) } ?? 0
        return report
    }

    static func status(_ text: String) -> Payment.Status {
        switch text {
        case "PAID", "SETTLED": .completed
        case "EXPIRED": .expired
        case "FAILED": .failed
        default: .pending
        }
    }

    public func ask(_ payment: Payment) async throws -> PaymentReport? {
        guard let invoice = try await find(payment) else { return nil }
        return try report(invoice)
    }

    // MARK: Refunds

    public func refund(_ refund: Refund, of payment: Payment) async throws -> RefundReport {
        guard let invoice = payment.providerPaymentID else {
            return .impossible("the invoice's id is not known")
        }
        let body: JSONValue = [
            "invoice_id": .string(invoice), "reference_id": .string(refund.id.description),
            "amount": .number(MinorUnits.text(refund.amount, payment.currency)),
            "currency": .string(payment.currency), "reason": "CANCELLATION",
        ]
        let answer = try await http.call(
            .post, "/refunds", body, fields: [("idempotency-key", refund.id.description)])
        switch answer.json["status"]?.string {
        case "SUCCEEDED"?:
            return .completed(
                providerRefundID: answer.json["id"]?.string ?? refund.id.description)
        case "PENDING"?: return .waiting
        default:
            return .impossible(
                "Xendit refuses: \(answer.json["error_code"]?.string ?? "\(answer.status)")")
        }
    }
}
