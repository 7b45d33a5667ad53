public import Environment
public import Protobuf

/// What the pretended providers know of one charge, in both of their languages.
public struct FakeCharge: Sendable {
    public enum Dialect: String, Sendable { case midtrans, xendit }
    public enum Status: Sendable { case created, pending, paid, failed, expired }

    public let dialect: Dialect
    /// The merchant's name for it.
    public let id: String
    /// The provider's own.
    public let providerID: String
    /// As the merchant wrote it.
    public let amount: String
    public let currency: String
    public var status = Status.created
    public var paidAt: Instant?
    public var returnURL: String?
    /// How long the merchant keeps the page open.
    public var seconds: Int64?
    /// What has gone back, by the merchant's name of the refund.
    public var refunds: [String: String] = [:]

    init(_ dialect: Dialect, id: String, amount: String, currency: String) {
        self.dialect = dialect
        self.id = id
        self.amount = amount
        self.currency = currency
        providerID = UUID.random().description
    }

    /// The status as Midtrans reports it, by notification or when asked.
    /// - Parameter sign: makes `signature_key`.
    public func midtrans(sign: (String) -> String) -> JSONValue {
        let (status, code) =
            switch self.status {
            case .created, .pending: ("pending", "201")
            case .paid: (refunds.isEmpty ? "settlement" : "partial_refund", "200")
            case .failed: ("deny", "202")
            case .expired: ("expire", "202")
            }
        let gross = amount.contains(".") ? amount : amount + ".00"
        var members: [(String, JSONValue)] = [
            ("status_code", .string(code)), ("transaction_status", .string(status)),
            ("transaction_id", .string(providerID)), ("order_id", .string(id)),
            ("gross_amount", .string(gross)), ("currency", .string(currency)),
            ("payment_type", "bank_transfer"), ("fraud_status", "accept"),
            ("signature_key", .string(sign("\(id)\(code)\(gross)"))),
        ]
        if let paidAt {
            // Jakarta's time without a zone.
            let local = (paidAt + .seconds(7 * 3600)).rfc3339
            members.append(
                (
                    "settlement_time",
                    .string(String(local.prefix(19)).replacing("T", with: " "))
                ))
        }
        return .object(members)
    }

    /// The invoice as Xendit reports it.
    public func xendit(page: String) -> JSONValue {
        let status =
            switch self.status {
            case .created, .pending: "PENDING"
            case .paid: "PAID"
            case .failed: "FAILED"
            case .expired: "EXPIRED"
            }
        var members: [(String, JSONValue)] = [
            ("id", .string(providerID)), ("external_id", .string(id)),
            ("status", .string(status)), ("amount", .number(amount)),
            ("currency", .string(currency)), ("invoice_url", .string(page)),
        ]
        if let paidAt {
            members.append(("paid_amount", .number(amount)))
            members.append(("paid_at", .string(paidAt.rfc3339)))
            members.append(("payment_method", "BANK_TRANSFER"))
        }
        return .object(members)
    }
}
