import Crypto
import Domain
import Environment
import HTTP1
public import HTTPClient
import Protobuf

/// Midtrans: Snap for the page, the Core API for status and refunds
/// (docs.midtrans.com: snap/transactions, {order_id}/status, {order_id}/refund, notifications).
public struct Midtrans: PaymentProvider {
    public var code: String { "midtrans" }
    private let snap: ProviderHTTP
    private let core: ProviderHTTP
    private let serverKey: String

    public init(
        client: HTTPClient, serverKey: String, snapURL: String = "https://app.midtrans.com",
        coreURL: String = "https://api.midtrans.com"
    ) {
        snap = ProviderHTTP(client: client, base: snapURL, secret: serverKey)
        core = ProviderHTTP(client: client, base: coreURL, secret: serverKey)
        self.serverKey = serverKey
    }

    public func open(
        _ payment: Payment, for time: Duration, returnURL: String?
    ) async throws -> PaymentPage {
        // Whole minutes, rounded up; at least one.
        let seconds = time.components.seconds
        var body: [(String, JSONValue)] = [
            (
                "transaction_details",
                [
                    "order_id": .string(payment.id.description),
                    "gross_amount": .number(MinorUnits.text(payment.amount, payment.currency)),
                ]
            ),
            (
                "expiry",
                [
                    "duration": .number(String(max(1, (seconds + 59) / 60))),
                    "unit": "minute",
                ]
            ),
        ]
        if let returnURL { body.append(("callbacks", ["finish": .string(returnURL)])) }
        let answer = try await snap.call(.post, "/snap/v1/transactions", .object(body))
        guard answer.status == 201 || answer.status == 200,
            let url = answer.json["redirect_url"]?.string
        else { throw refusal(answer) }
        return PaymentPage(url: url, providerPaymentID: nil)
    }

    private func refusal(_ answer: ProviderHTTP.Answer) -> PaymentProviderError {
        let words =
            answer.json["error_messages"]?.array?.compactMap(\.string).joined(separator: "; ")
            ?? answer.json["status_message"]?.string
        return PaymentProviderError(
            .refused, "Midtrans refuses", blame: .provider,
            cause: words.map { "\(answer.status) \($0)" } ?? "\(answer.status)")
    }

    // MARK: Reports

    public func read(_ callback: PaymentCallback) throws(PaymentProviderError) -> PaymentReport {
        guard let json = try? JSONValue.parse(callback.body) else {
            throw PaymentProviderError(.malformed, "the notification is no JSON", blame: .caller)
        }
        try verify(json)
        return try report(json)
    }

    /// SHA-512 of order_id, status_code, gross_amount and the server key, as hexadecimal digits.
    func verify(_ json: JSONValue) throws(PaymentProviderError) {
        guard let order = json["order_id"]?.string, let status = json["status_code"]?.plain,
            let amount = json["gross_amount"]?.plain,
            let given = json["signature_key"]?.string
        else {
            throw PaymentProviderError(.forged, "the notification is not signed", blame: .caller)
        }
        let expected = Self.signature(
            order: order, status: status, amount: amount, serverKey: serverKey)
        guard constantTimeEqual(expected, given) || PlantedBug.callbackUnsigned.isPlanted else {
            throw PaymentProviderError(
                .forged, "the notification's signature is wrong", blame: .caller)
        }
    }

    static func signature(order: String, status: String, amount: String, serverKey: String)
        -> String
    {
        Hex.encode(SHA512.hash(Array("\(order)\(status)\(amount)\(serverKey)".utf8)))
    }

    private func report(_ json: JSONValue) throws(PaymentProviderError) -> PaymentReport {
        let currency = json["currency"]?.string ?? "IDR"
        guard let id = json["order_id"]?.string.flatMap({ UUID($0) }),
            let said = json["transaction_status"]?.string,
            let amount = json["gross_amount"]?.plain.flatMap({ MinorUnits.parse($0, currency) })
        else {
            throw PaymentProviderError(
                .malformed, "Midtrans names no order, status or amount", blame: .provider)
        }
        var report = PaymentReport(
            payment: id, status: Self.status(said, fraud: json["fraud_status"]?.string),
            amount: amount, currency: currency)
        report.said = said
        report.providerPaymentID = json["transaction_id"]?.string ?? ""
        report.method = json["payment_type"]?.string ?? ""
        report.paidAt = (json["settlement_time"]?.string ?? json["transaction_time"]?.string)
            .flatMap(Self.time)
        return report
    }

    /// `capture` is money for cards once fraud screening accepts it; what was refunded was paid.
    static func status(_ text: String, fraud: String?) -> Payment.Status {
        switch text {
        case "settlement", "refund", "partial_refund": .completed
        case "capture": fraud == "challenge" ? .pending : fraud == "deny" ? .failed : .completed
        case "deny", "cancel", "failure": .failed
        case "expire": .expired
        default: .pending
        }
    }

    /// "2026-11-21 15:04:05" in Jakarta's time.
    static func time(_ text: String) -> Instant? {
        guard text.utf8.count == 19 else { return nil }
        return Instant(rfc3339: text.replacing(" ", with: "T") + "+07:00")
    }

    public func ask(_ payment: Payment) async throws -> PaymentReport? {
        let answer = try await core.call(.get, "/v2/\(payment.id)/status")
        // 404 in the body: no payment method was chosen yet, or never.
        guard answer.status != 404, answer.json["status_code"]?.plain != "404" else { return nil }
        guard answer.json["transaction_status"] != nil else { throw refusal(answer) }
        return try report(answer.json)
    }

    // MARK: Refunds

    public func refund(_ refund: Refund, of payment: Payment) async throws -> RefundReport {
        let body: JSONValue = [
            "refund_key": .string(refund.id.description),
            "amount": .number(MinorUnits.text(refund.amount, payment.currency)),
            "reason": .string(refund.reason),
        ]
        let answer = try await core.call(.post, "/v2/\(payment.id)/refund", body)
        switch answer.json["status_code"]?.plain {
        case "200"?, "201"?:
            return .completed(
                providerRefundID: answer.json["refund_chargeback_uuid"]?.string
                    ?? answer.json["refund_key"]?.string ?? refund.id.description)
        // 406: this refund_key was used, and the refund made, before.
        case "406"?: return .completed(providerRefundID: refund.id.description)
        // 411 to 418: the method knows no refunds, or it is too late for one.
        default:
            return .impossible(
                "Midtrans refuses: \(answer.json["status_code"]?.plain ?? "\(answer.status)")")
        }
    }
}
