public import Environment

/// JSON Web Tokens signed with HMAC-SHA-256 (RFC 7519, RFC 7515, `HS256` of RFC 7518), for our own
/// services and links. The algorithm is pinned: a token cannot choose it.
public enum JSONWebToken {
    /// The claims of a token. Times have whole seconds on the wire.
    public struct Claims: Sendable, Hashable {
        /// `iss`: who signed.
        public var issuer: String
        /// `sub`: on whose behalf.
        public var subject: String
        /// `aud`: the one service that may accept it.
        public var audience: String
        /// `iat`
        public var issuedAt: Instant
        /// `nbf`
        public var notBefore: Instant?
        /// `exp`
        public var expiresAt: Instant
        /// Further string claims such as `role`, `scope`, `service` or `jti`. The registered
        /// names above cannot be set here.
        public var extra: [String: String]

        public init(
            issuer: String, subject: String, audience: String, issuedAt: Instant,
            expiresAt: Instant, notBefore: Instant? = nil, extra: [String: String] = [:]
        ) {
            self.issuer = issuer
            self.subject = subject
            self.audience = audience
            self.issuedAt = issuedAt
            self.notBefore = notBefore
            self.expiresAt = expiresAt
            self.extra = extra
        }
    }

    /// The longest token that is looked at.
    public static let lengthLimit = 8192

    static let registeredNames: Set<String> = ["iss", "sub", "aud", "iat", "nbf", "exp"]

    /// The compact form `header.payload.signature`.
    public static func sign(_ claims: Claims, key: JSONWebTokenKey) -> String {
        var header = FlatJSON.Writer()
        header.add("alg", "HS256")
        header.add("typ", "JWT")
        header.add("kid", key.id)
        var payload = FlatJSON.Writer()
        payload.add("iss", claims.issuer)
        payload.add("sub", claims.subject)
        payload.add("aud", claims.audience)
        payload.add("iat", claims.issuedAt.secondsSinceEpoch)
        if let notBefore = claims.notBefore { payload.add("nbf", notBefore.secondsSinceEpoch) }
        payload.add("exp", claims.expiresAt.secondsSinceEpoch)
        for (name, value) in claims.extra.sorted(by: { $0.key < $1.key }) {
            precondition(!registeredNames.contains(name), "\(name) is not an extra claim")
            payload.add(name, value)
        }
        let signed =
            Base64.encode(header.finished(), variant: .url) + "."
            + Base64.encode(payload.finished(), variant: .url)
        let signature = HMACSHA256.sign(key: key.secret, message: Array(signed.utf8))
        return signed + "." + Base64.encode(signature, variant: .url)
    }
}
