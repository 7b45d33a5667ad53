public import Environment

/// Decides whether a token is meant for us. A value: build it once and keep it.
public struct JSONWebTokenVerifier: Sendable {
    private let keys: [JSONWebTokenKey]
    private let audience: String
    private let issuers: Set<String>?
    private let maximumLifetime: Duration?
    private let skew: Duration

    /// - Parameters:
    ///   - keys: every secret that is accepted at present; more than one while rotating.
    ///   - audience: our own name; tokens for others are refused.
    ///   - issuers: who may sign; nil for anyone who holds a key.
    ///   - maximumLifetime: how far ahead `exp` may lie; nil for no limit.
    ///   - skew: how much the clocks of signer and verifier may differ.
    public init(
        keys: [JSONWebTokenKey], audience: String, issuers: Set<String>? = nil,
        maximumLifetime: Duration? = nil, skew: Duration = .seconds(30)
    ) {
        self.keys = keys
        self.audience = audience
        self.issuers = issuers
        self.maximumLifetime = maximumLifetime
        self.skew = skew
    }

    /// The rules for tokens between services: `exp` at most 5 minutes ahead, 30 s skew.
    public static func service(
        keys: [JSONWebTokenKey], audience: String, issuers: Set<String>? = nil
    ) -> JSONWebTokenVerifier {
        JSONWebTokenVerifier(
            keys: keys, audience: audience, issuers: issuers, maximumLifetime: .seconds(300))
    }

    /// The claims of a valid token.
    ///
    /// The signature is checked before any claim is believed.
    /// - Throws: the first reason to refuse; blame is always the peer's.
    public func verify(_ token: String, at now: Instant = .now()) throws(CryptoError)
        -> JSONWebToken.Claims
    {
        guard token.utf8.count <= JSONWebToken.lengthLimit else {
            throw Self.refusal(
                .malformed, "the token is longer than \(JSONWebToken.lengthLimit) bytes")
        }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3,
            let headerBytes = Base64.decode(parts[0], variant: .url),
            let payloadBytes = Base64.decode(parts[1], variant: .url),
            let signature = Base64.decode(parts[2], variant: .url)
        else { throw Self.refusal(.malformed, "the token is not three base64url parts") }
        guard let header = FlatJSON.parse(headerBytes) else {
            throw Self.refusal(.malformed, "the header is not a flat JSON object")
        }
        let candidates = try candidates(for: header)
        let signed = Array(token.utf8[..<parts[1].endIndex])
        guard
            candidates.contains(where: {
                HMACSHA256.verify(signature, key: $0.secret, message: signed)
            })
        else { throw Self.refusal(.badSignature, "the signature does not fit") }
        guard let payload = FlatJSON.parse(payloadBytes) else {
            throw Self.refusal(.malformed, "the payload is not a flat JSON object")
        }
        let claims = try JSONWebToken.Claims(payload)
        try check(claims, at: now)
        return claims
    }

    /// The keys that may have signed; all of them when the token names none.
    private func candidates(
        for header: [String: FlatJSON.Value]
    ) throws(CryptoError) -> [JSONWebTokenKey] {
        guard header["alg"] == .string("HS256") else {
            throw Self.refusal(.wrongAlgorithm, "alg is not HS256")
        }
        // RFC 7515 section 4.1.11: extensions that must be understood and are not.
        guard header["crit"] == nil else {
            throw Self.refusal(.wrongAlgorithm, "crit header extensions are not supported")
        }
        switch header["kid"] {
        case nil: return keys
        case .string(let id)?:
            let named = keys.filter { $0.id == id }
            guard !named.isEmpty else { throw Self.refusal(.unknownKey, "kid names no known key") }
            return named
        default: throw Self.refusal(.malformed, "kid is not a string")
        }
    }

    private func check(_ claims: JSONWebToken.Claims, at now: Instant) throws(CryptoError) {
        guard claims.audience == audience else {
            throw Self.refusal(.wrongAudience, "aud is not \(audience)")
        }
        if let issuers, !issuers.contains(claims.issuer) {
            throw Self.refusal(.wrongIssuer, "iss is not accepted here")
        }
        // RFC 7519 section 4.1.4: on or after exp the token is refused.
        guard now < claims.expiresAt + skew else {
            throw Self.refusal(.expired, "exp was \(claims.expiresAt)")
        }
        if let maximumLifetime, claims.expiresAt > now + maximumLifetime + skew {
            throw Self.refusal(
                .lifetimeTooLong, "exp is more than \(maximumLifetime.milliseconds / 1000) s ahead")
        }
        if let notBefore = claims.notBefore, notBefore > now + skew {
            throw Self.refusal(.notYetValid, "nbf is \(notBefore)")
        }
        guard claims.issuedAt <= now + skew else {
            throw Self.refusal(.notYetValid, "iat is \(claims.issuedAt)")
        }
    }

    static func refusal(_ code: CryptoError.Code, _ message: String) -> CryptoError {
        CryptoError(code, message, blame: .peer)
    }
}
