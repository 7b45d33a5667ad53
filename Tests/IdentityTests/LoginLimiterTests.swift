import Environment
import Testing

@testable import Identity

struct LoginLimiterTests {
    private let start = Instant(microseconds: 1_700_000_000_000_000)

    @Test("failed attempts of one address are limited and come back with time")
    func bucket() throws {
        let limiter = LoginLimiter(.init(burst: 3, refill: .seconds(60)))
        for _ in 0..<3 { #expect(limiter.attempt("a@b.id", at: start) == nil) }
        let wait = try #require(limiter.attempt("a@b.id", at: start))
        #expect(wait > .seconds(59) && wait <= .seconds(60))
        #expect(limiter.attempt("other@b.id", at: start) == nil)
        #expect(limiter.attempt("a@b.id", at: start + .seconds(59)) != nil)
        #expect(limiter.attempt("a@b.id", at: start + .seconds(61)) == nil)
        #expect(limiter.attempt("a@b.id", at: start + .seconds(61)) != nil)
    }

    @Test("a success costs nothing")
    func forgiven() {
        let limiter = LoginLimiter(.init(burst: 2, refill: .seconds(60)))
        for _ in 0..<10 {
            #expect(limiter.attempt("a@b.id", at: start) == nil)
            limiter.forgive("a@b.id", at: start)
        }
    }

    @Test("the memory is bounded, and the worst address is not the one forgotten")
    func bounded() {
        let limiter = LoginLimiter(.init(burst: 2, refill: .seconds(60), addresses: 20))
        for _ in 0..<2 { _ = limiter.attempt("worst@b.id", at: start) }
        for number in 0..<100 { _ = limiter.attempt("\(number)@b.id", at: start) }
        #expect(limiter.attempt("worst@b.id", at: start) != nil)
    }
}

struct SessionSecretTests {
    @Test("X-30: a session's secret has 256 random bits and one spelling")
    func spelling() throws {
        let secret = SessionSecret.random()
        #expect(secret.text.utf8.count == 43)
        #expect(SessionSecret(secret.text) == secret)
        #expect(secret != .random())
        #expect(secret.hash.count == 32 && secret.hash != secret.bytes)
    }

    @Test(
        "what is no secret is refused",
        arguments: [
            "", "abc", String(repeating: "A", count: 42), String(repeating: "+", count: 43),
        ])
    func malformed(text: String) {
        #expect(SessionSecret(text) == nil)
    }
}
