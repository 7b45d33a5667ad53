/// Why a token or a derivation was refused. Never contains the secret or the token.
public struct CryptoError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// Not three base64url parts of JSON objects with the claims that we require.
        public static let malformed = Code(rawValue: "malformed")
        /// `alg` is not the pinned one, or a `crit` header asks for something unknown.
        public static let wrongAlgorithm = Code(rawValue: "wrong_algorithm")
        /// `kid` names no key that we hold.
        public static let unknownKey = Code(rawValue: "unknown_key")
        public static let badSignature = Code(rawValue: "bad_signature")
        public static let missingClaim = Code(rawValue: "missing_claim")
        public static let expired = Code(rawValue: "expired")
        /// `nbf` or `iat` lies in the future.
        public static let notYetValid = Code(rawValue: "not_yet_valid")
        /// `exp` lies further ahead than the verifier accepts.
        public static let lifetimeTooLong = Code(rawValue: "lifetime_too_long")
        public static let wrongAudience = Code(rawValue: "wrong_audience")
        public static let wrongIssuer = Code(rawValue: "wrong_issuer")
        public static let invalidParameters = Code(rawValue: "invalid_parameters")
        public static let outOfMemory = Code(rawValue: "out_of_memory")
    }

    /// Who has to change something.
    public enum Blame: Sendable, Hashable {
        case caller, peer, us
    }

    public let code: Code
    public let message: String
    public let blame: Blame
    public let cause: String?

    public init(_ code: Code, _ message: String, blame: Blame, cause: String? = nil) {
        self.code = code
        self.message = message
        self.blame = blame
        self.cause = cause
    }

    public var description: String {
        "\(code.rawValue): \(message)" + (cause.map { " (\($0))" } ?? "")
    }
}
