import Crypto
import Environment
import Testing

@Suite struct JSONWebTokenTests {
    private let now = Instant(microseconds: 1_764_669_600_000_000)
    private let key = makeKey("k1", fill: 1)
    private var verifier: JSONWebTokenVerifier { .service(keys: [key], audience: "booking") }

    private func claims(_ change: (inout JSONWebToken.Claims) -> Void = { _ in })
        -> JSONWebToken.Claims
    {
        var claims = JSONWebToken.Claims(
            issuer: "gateway", subject: "user-1", audience: "booking", issuedAt: now,
            expiresAt: now + .seconds(60), extra: ["scope": "internal", "name": "é\"\\\u{1}"])
        change(&claims)
        return claims
    }

    @Test("X-26: what is signed is read again")
    func roundTrip() throws {
        let claims = claims { $0.notBefore = now }
        let token = JSONWebToken.sign(claims, key: key)
        #expect(try verifier.verify(token, at: now) == claims)
    }

    @Test("the text is deterministic: header, payload and signature are pinned")
    func text() throws {
        let token = JSONWebToken.sign(claims { $0.extra = ["role": "admin"] }, key: key)
        let parts = token.split(separator: ".").map(String.init)
        let texts = try parts.map { part in
            String(decoding: try #require(Base64.decode(part, variant: .url)), as: UTF8.self)
        }
        #expect(texts[0] == #"{"alg":"HS256","typ":"JWT","kid":"k1"}"#)
        #expect(
            texts[1] == #"{"iss":"gateway","sub":"user-1","aud":"booking","iat":1764669600,"#
                + #""exp":1764669660,"role":"admin"}"#)
    }

    @Test("a token made by Python's hmac and json is accepted")
    func foreign() throws {
        let key = try #require(JSONWebTokenKey(id: "any", secret: Array(0..<32)))
        let token =
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJib29raW5nIiwiZXhwIjoxNzY0NjY"
            + "5OTAwLCJpYXQiOjE3NjQ2Njk2MDAsImlzcyI6ImdhdGV3YXkiLCJzdWIiOiJ1XHUwMDMxIiwicm9"
            + "sZSI6ImFkbWluIn0.D5iZRCAGoHqk2wNMrHZjvkcThlSr-bMUQhGFMq0rbxM"
        let claims = try JSONWebTokenVerifier.service(keys: [key], audience: "booking")
            .verify(token, at: now)
        #expect(claims.subject == "u1")
        #expect(claims.extra == ["role": "admin"])
        #expect(claims.expiresAt == now + .seconds(300))
    }

    @Test("RFC 7515 appendix A.1: the signature fits; the claims are not ours")
    func appendixA1() throws {
        let secret = try #require(
            Base64.decode(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                    + "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", variant: .url))
        let key = try #require(JSONWebTokenKey(id: "a1", secret: secret))
        let signed =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
            + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        let verifier = JSONWebTokenVerifier(keys: [key], audience: "booking")
        let good = signed + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let bad = signed + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXg"
        #expect(refusal(good, by: verifier, at: now) == .missingClaim)
        #expect(refusal(bad, by: verifier, at: now) == .badSignature)
    }

    @Test(
        "X-26: exp at most 5 minutes ahead, 30 s skew, to the second",
        arguments: [
            (60, 0, nil, 0, nil),
            (-29, -60, nil, 0, nil),
            (-30, -60, nil, 0, .expired),
            (-3600, -7200, nil, 0, .expired),
            (330, 0, nil, 0, nil),
            (331, 0, nil, 0, .lifetimeTooLong),
            (86_400 * 365, 0, nil, 0, .lifetimeTooLong),
            (60, 30, nil, 0, nil),
            (60, 31, nil, 0, .notYetValid),
            (60, 0, 30, 0, nil),
            (60, 0, 31, 0, .notYetValid),
            (60, 0, nil, 100, .expired),
        ] as [(Int, Int, Int?, Int, CryptoError.Code?)])
    func times(
        expiry: Int, issued: Int, notBefore: Int?, later: Int, expected: CryptoError.Code?
    ) {
        let token = JSONWebToken.sign(
            claims {
                $0.expiresAt = now + .seconds(expiry)
                $0.issuedAt = now + .seconds(issued)
                $0.notBefore = notBefore.map { now + .seconds($0) }
            }, key: key)
        #expect(refusal(token, by: verifier, at: now + .seconds(later)) == expected)
    }

    @Test("without a maximum a link may live for months")
    func longLink() throws {
        let token = JSONWebToken.sign(
            claims { $0.expiresAt = now + .seconds(86_400 * 90) }, key: key)
        let verifier = JSONWebTokenVerifier(keys: [key], audience: "booking")
        #expect(try verifier.verify(token, at: now + .seconds(86_400 * 89)).subject == "user-1")
    }

    @Test("aud and iss decide")
    func audienceAndIssuer() {
        let token = JSONWebToken.sign(claims(), key: key)
        let identity = JSONWebTokenVerifier.service(keys: [key], audience: "identity")
        #expect(refusal(token, by: identity, at: now) == .wrongAudience)
        let strict = JSONWebTokenVerifier.service(
            keys: [key], audience: "booking", issuers: ["schedule"])
        #expect(refusal(token, by: strict, at: now) == .wrongIssuer)
        let open = JSONWebTokenVerifier.service(
            keys: [key], audience: "booking", issuers: ["schedule", "gateway"])
        #expect(refusal(token, by: open, at: now) == nil)
    }

    @Test("X-26: keys rotate by kid")
    func rotation() {
        let new = makeKey("k2", fill: 2)
        let impostor = makeKey("k1", fill: 3)
        let both = JSONWebTokenVerifier.service(keys: [new, key], audience: "booking")
        let onlyNew = JSONWebTokenVerifier.service(keys: [new], audience: "booking")
        let old = JSONWebToken.sign(claims(), key: key)
        #expect(refusal(old, by: both, at: now) == nil)
        #expect(refusal(JSONWebToken.sign(claims(), key: new), by: both, at: now) == nil)
        #expect(refusal(old, by: onlyNew, at: now) == .unknownKey)
        #expect(
            refusal(JSONWebToken.sign(claims(), key: impostor), by: both, at: now) == .badSignature)
        let none = JSONWebTokenVerifier.service(keys: [], audience: "booking")
        #expect(refusal(token(header: #"{"alg":"HS256"}"#), by: none, at: now) == .badSignature)
    }

    @Test(
        "headers: the algorithm is pinned and nothing is guessed",
        arguments: [
            (#"{"alg":"HS256"}"#, nil),
            (#"{"alg":"none"}"#, .wrongAlgorithm), (#"{"alg":"hs256"}"#, .wrongAlgorithm),
            (#"{"alg":"HS512"}"#, .wrongAlgorithm), (#"{"alg":"RS256"}"#, .wrongAlgorithm),
            (#"{}"#, .wrongAlgorithm), (#"{"alg":null}"#, .wrongAlgorithm),
            (#"{"alg":"HS256","crit":"exp"}"#, .wrongAlgorithm),
            (#"{"alg":"HS256","alg":"none"}"#, .malformed),
            (#"{"alg":"HS256","kid":1}"#, .malformed),
            (#"{"alg":"HS256","kid":"../k1"}"#, .unknownKey),
            (#"{"alg":"HS256","jwk":{}}"#, .malformed), (#"["HS256"]"#, .malformed),
            ("", .malformed),
        ] as [(String, CryptoError.Code?)])
    func headers(header: String, expected: CryptoError.Code?) {
        #expect(refusal(token(header: header), by: verifier, at: now) == expected)
    }

    @Test(
        "payloads: strict flat JSON with the claims we require",
        arguments: [
            (#"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660}"#, nil),
            (
                #" { "iss" : "g","sub":"s","aud":"booking","iat":1764669600.9,"exp":1.76466966e9 } "#,
                nil
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660,"x":null,"y":true,"z":-1}"#,
                nil
            ),
            (#"{"sub":"s","aud":"booking","iat":1764669600,"exp":1764669660}"#, .missingClaim),
            (#"{"iss":"g","aud":"booking","iat":1764669600,"exp":1764669660}"#, .missingClaim),
            (#"{"iss":"g","sub":"s","iat":1764669600,"exp":1764669660}"#, .missingClaim),
            (#"{"iss":"g","sub":"s","aud":"booking","exp":1764669660}"#, .missingClaim),
            (#"{"iss":"g","sub":"s","aud":"booking","iat":1764669600}"#, .missingClaim),
            (
                #"{"iss":"g","sub":"s","aud":["booking"],"iat":1764669600,"exp":1764669660}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":"1764669660"}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660000}"#,
                .malformed
            ),
            (#"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1e400}"#, .malformed),
            (#"{"iss":"g","sub":"s","aud":"booking","iat":-1,"exp":1764669660}"#, .malformed),
            (#"{"iss":"g","sub":1,"aud":"booking","iat":1764669600,"exp":1764669660}"#, .malformed),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660,}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660}}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660,"exp":9}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":01764669600,"exp":1764669660}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660,"x":{}}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"\ud800","aud":"booking","iat":1764669600,"exp":1764669660}"#,
                .malformed
            ),
            (
                #"{"iss":"g","sub":"\x","aud":"booking","iat":1764669600,"exp":1764669660}"#,
                .malformed
            ),
            (
                "{\"iss\":\"g\",\"sub\":\"\n\",\"aud\":\"booking\",\"iat\":1764669600,\"exp\":1764669660}",
                .malformed
            ),
            (#"{"iss":"g","sub":"s"#, .malformed), ("{", .malformed), ("{\"", .malformed),
            ("null", .malformed),
            (#"{"a":tru}"#, .malformed), (#"{"a":-}"#, .malformed), (#"{"a":1.}"#, .malformed),
            (#"{"a":.5}"#, .malformed), (#"{"a":+1}"#, .malformed), (#"{"a":1e}"#, .malformed),
            (#"{"a":"\u12"#, .malformed), (#"{"a":"\"#, .malformed),
        ] as [(String, CryptoError.Code?)])
    func payloads(payload: String, expected: CryptoError.Code?) {
        let token = token(header: #"{"alg":"HS256"}"#, payload: Array(payload.utf8))
        #expect(refusal(token, by: verifier, at: now) == expected)
    }

    @Test("escapes, surrogate pairs and invalid UTF-8")
    func strings() throws {
        let payload =
            #"{"iss":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","sub":"😀","aud":"booking","#
            + #""iat":1764669600,"exp":1764669660}"#
        let header = #"{"alg":"HS256"}"#
        let read = try verifier.verify(token(header: header, payload: Array(payload.utf8)), at: now)
        #expect(read.issuer == "\"\\/\u{8}\u{C}\n\r\té😀")
        #expect(read.subject == "😀")
        let invalid = Array(#"{"iss":""#.utf8) + [0xC0, 0x80] + Array(#""}"#.utf8)
        #expect(
            refusal(token(header: header, payload: invalid), by: verifier, at: now) == .malformed)
    }

    @Test(
        "text that is not a token",
        arguments: ["", ".", "..", "a.b", "a.b.c.d", "....", "Zg==.Zg==.Zg==", "é.é.é"])
    func malformed(text: String) {
        #expect(refusal(text, by: verifier, at: now) == .malformed)
    }

    @Test("no change of a single character is accepted")
    func mutations() {
        let token = Array(JSONWebToken.sign(claims(), key: key).utf8)
        for index in token.indices {
            var changed = token
            changed[index] =
                token[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let text = String(decoding: changed, as: UTF8.self)
            #expect(refusal(text, by: verifier, at: now) != nil, "character \(index)")
        }
    }

    @Test("a huge token is refused before any work")
    func limit() {
        let token = JSONWebToken.sign(
            claims { $0.extra["x"] = String(repeating: "x", count: 8192) }, key: key)
        #expect(refusal(token, by: verifier, at: now) == .malformed)
    }

    @Test("RFC 7518 section 3.2: short secrets are refused, and no secret shows itself")
    func keys() {
        #expect(JSONWebTokenKey(id: "k", secret: [UInt8](repeating: 1, count: 31)) == nil)
        #expect("\(makeKey("k", fill: 222)) \([key])".contains("222") == false)
        var dumped = ""
        dump(makeKey("k", fill: 222), to: &dumped)
        #expect(!dumped.contains("222"))
    }

    /// A correctly signed token with any header and payload.
    private func token(header: String, payload: [UInt8]? = nil) -> String {
        let fallback = #"{"iss":"g","sub":"s","aud":"booking","iat":1764669600,"exp":1764669660}"#
        let signed =
            Base64.encode(Array(header.utf8), variant: .url) + "."
            + Base64.encode(payload ?? Array(fallback.utf8), variant: .url)
        let secret = [UInt8](repeating: 1, count: 32)
        let signature = HMACSHA256.sign(key: secret, message: Array(signed.utf8))
        return signed + "." + Base64.encode(signature, variant: .url)
    }
}

private func makeKey(_ id: String, fill: UInt8) -> JSONWebTokenKey {
    guard let key = JSONWebTokenKey(id: id, secret: [UInt8](repeating: fill, count: 32)) else {
        preconditionFailure("32 bytes are enough")
    }
    return key
}

/// Why the verifier refuses the token; nil when it accepts.
private func refusal(
    _ token: String, by verifier: JSONWebTokenVerifier, at now: Instant
) -> CryptoError.Code? {
    do {
        _ = try verifier.verify(token, at: now)
        return nil
    } catch {
        return error.blame == .peer ? error.code : nil
    }
}
