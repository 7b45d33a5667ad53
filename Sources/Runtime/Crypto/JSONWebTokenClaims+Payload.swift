import Environment

extension JSONWebToken.Claims {
    /// Reads a payload whose signature has been checked. Claims of other types than string that
    /// are not registered are ignored.
    init(_ payload: [String: FlatJSON.Value]) throws(CryptoError) {
        self.init(
            issuer: try Self.string("iss", payload),
            subject: try Self.string("sub", payload),
            audience: try Self.string("aud", payload),
            issuedAt: try Self.instant("iat", payload),
            expiresAt: try Self.instant("exp", payload))
        if payload["nbf"] != nil { notBefore = try Self.instant("nbf", payload) }
        for (name, value) in payload where !JSONWebToken.registeredNames.contains(name) {
            if case .string(let text) = value { extra[name] = text }
        }
    }

    private static func string(
        _ name: String, _ payload: [String: FlatJSON.Value]
    ) throws(CryptoError) -> String {
        switch payload[name] {
        case .string(let text)?: return text
        case nil: throw JSONWebTokenVerifier.refusal(.missingClaim, "\(name) is missing")
        default: throw JSONWebTokenVerifier.refusal(.malformed, "\(name) is not a string")
        }
    }

    /// A `NumericDate`: seconds since the epoch, perhaps with a fraction.
    private static func instant(
        _ name: String, _ payload: [String: FlatJSON.Value]
    ) throws(CryptoError) -> Instant {
        switch payload[name] {
        // Year 5138; larger numbers are milliseconds by mistake, or overflow arithmetic.
        case .number(let seconds)? where seconds >= 0 && seconds < 1e11:
            return Instant(microseconds: Int64(seconds * 1e6))
        case nil: throw JSONWebTokenVerifier.refusal(.missingClaim, "\(name) is missing")
        default:
            throw JSONWebTokenVerifier.refusal(.malformed, "\(name) is not seconds since 1970")
        }
    }
}
