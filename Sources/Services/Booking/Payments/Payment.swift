public import Environment

/// A charge, as the rules see it. Amounts are minor units of `currency`.
public struct Payment: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable, CaseIterable {
        case pending, completed, failed, expired

        /// A status never moves to a lower rank.
        var rank: Int {
            switch self {
            case .pending: 0
            case .failed, .expired: 1
            case .completed: 2
            }
        }
    }

    public var id: UUID
    public var bookingID: UUID
    /// `manual`, `desk`, `midtrans`, `xendit` or `system`.
    public var provider: String
    public var amount: Int64
    public var currency: String
    public var status = Status.pending
    public var expiresAt: Instant
    public var createdAt: Instant
    /// The provider's own name for it.
    public var providerPaymentID: String?
    public var method = ""
    public var url: String?
    public var paidAt: Instant?
    public var fee: Int64 = 0
    public var failure = ""
    public var proofID: UUID?
    /// What staff wrote beside a payment at the desk.
    public var reference = ""
    /// Grows with every change of the charge and of its refunds.
    public var version: Int64 = 1

    /// It came to us: nobody can be asked about it, and a person gives it back.
    public var isByHand: Bool { provider == Self.manual || provider == Self.desk }

    /// A proof stands for it, whether or not somebody has looked at it.
    public var isByProof: Bool { method == Self.proof }

    static let manual = "manual"
    static let desk = "desk"
    static let proof = "proof"
}
