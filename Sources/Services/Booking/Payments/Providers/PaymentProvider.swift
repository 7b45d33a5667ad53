/// A company that moves money: opens charges, reports on them, gives money back. Every call has a
/// deadline of its own and may be repeated with the same names without a second effect.
public protocol PaymentProvider: Sendable {
    /// The code in `payment_provider`.
    var code: String { get }

    /// Makes the page where the customer pays. Known by ``Payment/id``: asking again for the same
    /// charge gives a page for the same charge.
    /// - Parameter time: how long the page can be of use.
    /// - Throws: ``PaymentProviderError``.
    func open(
        _ payment: Payment, for time: Duration, returnURL: String?
    ) async throws -> PaymentPage

    /// What a callback says, once its proof of origin has been checked. A hint only: see
    /// ``ask(_:)``.
    /// - Throws: ``PaymentProviderError`` forged or malformed.
    func read(_ callback: PaymentCallback) throws(PaymentProviderError) -> PaymentReport

    /// What the provider says about a charge when it is asked; nil when it does not know it.
    func ask(_ payment: Payment) async throws -> PaymentReport?

    /// Gives money back. Known by ``Refund/id``.
    func refund(_ refund: Refund, of payment: Payment) async throws -> RefundReport
}

/// Where the customer pays.
public struct PaymentPage: Sendable, Hashable {
    public let url: String
    /// The provider's name for the charge, when it has one already.
    public let providerPaymentID: String?
}

/// A provider's call, as it came.
public struct PaymentCallback: Sendable {
    public let body: [UInt8]
    /// The field `x-callback-token`; empty without one.
    public let token: String
}

/// What became of a refund at the provider.
public enum RefundReport: Sendable, Hashable {
    case completed(providerRefundID: String)
    /// Accepted; ask again.
    case waiting
    /// Not possible this way: a person has to do it.
    case impossible(String)
}

/// Why a provider's word is not there, or not believed.
public struct PaymentProviderError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The proof of origin is missing or wrong.
        case forged
        /// What it says cannot be read.
        case malformed
        /// No answer, or one that says to come back.
        case unavailable
        /// The provider refuses.
        case refused
    }

    public enum Blame: Sendable, Hashable { case caller, provider, us }

    public var code: Code
    /// Holds no secret and nobody's name.
    public var message: String
    public var blame: Blame
    public var cause: String?

    public init(_ code: Code, _ message: String, blame: Blame, cause: String? = nil) {
        self.code = code
        self.message = message
        self.blame = blame
        self.cause = cause
    }

    public var description: String { cause.map { "\(message): \($0)" } ?? message }
}
