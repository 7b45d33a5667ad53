public import Environment

/// Money that goes back from one charge.
public struct Refund: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable, CaseIterable {
        /// Due; the provider, or an admin, has to do it.
        case requested
        case completed, failed
    }

    public var id: UUID
    public var paymentID: UUID
    public var amount: Int64
    public var reason: String
    public var actor: String
    /// Why it is due, unique within its charge: the same reason makes no second one. The provider
    /// knows it by ``id``, however often it is asked.
    public var key: String
    public var status = Status.requested
    public var requestedAt: Instant
    public var completedAt: Instant?
    public var failure = ""
    /// The provider's name for it, once the provider has made it.
    public var providerRefundID: String?
    /// When the provider is asked, for the first time or again; nil leaves it to a person.
    public var nextAttempt: Instant?
}
