import Environment

/// Where the proofs of payment are found on this site. Addresses elsewhere are none: nobody could
/// say what is there, and asking would send us wherever a stranger likes.
public struct ProofAddress: Sendable, Hashable {
    /// `https://school.example`; empty when nobody has said where we are.
    private let site: String

    private static let path = "/api/booking/payment-proofs/"

    public init(site: String) { self.site = site }

    func address(of id: UUID) -> String { site + Self.path + id.description }

    /// The upload that an id or an address names; nil for everything else.
    func id(in text: String) -> UUID? {
        for prefix in [site + Self.path, Self.path] where text.hasPrefix(prefix) {
            return UUID(String(text.dropFirst(prefix.count)))
        }
        return UUID(text)
    }
}
