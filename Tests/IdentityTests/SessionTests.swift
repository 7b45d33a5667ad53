import Crypto
import Domain
import Environment
import Glibc
import Loop
import Postgres
import RPC
import Schema
import Telemetry
import Testing

@testable import Identity

@Suite(.timeLimit(.minutes(5)))
struct SessionTests {
    @Test("X-30: credentials become a session that can be verified, used and revoked")
    func life() async throws {
        let fixture = try await Fixture("identity_life")
        try await fixture.service.ensureAdmin(
            email: "Admin@Janji.id", name: "Admin", password: Fixture.password)
        let session = try await fixture.signIn("ADMIN@janji.id")
        #expect(session.user?.email == "admin@janji.id")
        #expect(session.user?.role == .admin)
        let verified = try await fixture.verify(session.sessionId)
        #expect(verified.user == session.user)
        #expect(verified.expiresAt == session.expiresAt)
        var metadata = Metadata()
        metadata.set(session.user?.id ?? "", for: "x-test-admin")
        let me = try await fixture.client.getMe(IdentityV1.GetMeRequest(), metadata: metadata)
        #expect(me.user == session.user)
        var revoke = IdentityV1.RevokeSessionRequest()
        revoke.sessionId = session.sessionId
        _ = try await fixture.client.revokeSession(revoke)
        _ = try await fixture.client.revokeSession(revoke)
        let gone = await refusal { _ = try await fixture.verify(session.sessionId) }
        #expect(gone.code == .unauthenticated)
    }

    @Test("the table does not hold what a browser holds")
    func hashed() async throws {
        let fixture = try await Fixture("identity_hashed")
        try await fixture.service.ensureAdmin(
            email: "admin@janji.id", name: "Admin", password: Fixture.password)
        let session = try await fixture.signIn()
        let secret = try #require(SessionSecret(session.sessionId))
        let stored: [UInt8] = try await fixture.pool.query("select secret_hash from sessions")
            .single()[0]
        #expect(stored == secret.hash)
        #expect(stored != secret.bytes)
    }

    @Test("a session ends after twelve hours, whatever is done with it, and is swept")
    func expiry() async throws {
        let fixture = try await Fixture("identity_expiry")
        try await fixture.service.ensureAdmin(
            email: "admin@janji.id", name: "Admin", password: Fixture.password)
        let session = try await fixture.signIn()
        let sweeper = SessionSweeper(
            pool: fixture.pool, clock: fixture.clock.clock, loop: Fixture.loop,
            logger: Logger(label: "test", sink: LogCapture().sink))
        fixture.clock.advance(by: .seconds(12 * 3600 - 1))
        _ = try await fixture.verify(session.sessionId)
        #expect(try await sweeper.sweep() == 0)
        fixture.clock.advance(by: .seconds(1))
        let over = await refusal { _ = try await fixture.verify(session.sessionId) }
        #expect(over.code == .unauthenticated)
        #expect(try await sweeper.sweep() == 1)
    }

    @Test("an unknown user and a wrong password are told the same")
    func sameAnswer() async throws {
        let fixture = try await Fixture("identity_same")
        try await fixture.service.ensureAdmin(
            email: "admin@janji.id", name: "Admin", password: Fixture.password)
        let wrong = await refusal { _ = try await fixture.signIn("admin@janji.id", "wrong") }
        let unknown = await refusal { _ = try await fixture.signIn("nobody@janji.id", "wrong") }
        #expect(wrong.code == .unauthenticated)
        #expect(wrong == unknown)
    }

    @Test("an unknown user costs one derivation too")
    func sameCost() throws {
        let nobody = PasswordHash.nobody(.init(cost: 1 << 10, blockSize: 8, parallelism: 1))
        let someone = try PasswordHash.make("secret", nobody.parameters)
        #expect(nobody.salt.count == someone.salt.count)
        #expect(try nobody.matches("") == false)
        #expect(try nobody.matches("secret") == false)
        #expect(try someone.matches("secret"))
        let cost = try leastWork { _ = try nobody.matches("x") }
        let usual = try leastWork { _ = try someone.matches("x") }
        #expect(cost > usual / 4)
    }

    /// Nanoseconds of this thread, whatever else the machine does meanwhile.
    private func leastWork(_ body: () throws -> Void) rethrows -> Int {
        func now() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        return try (0..<20).map { _ in
            let start = now()
            try body()
            return now() - start
        }.min() ?? 0
    }

    @Test("failed attempts are limited for each address, known or not; successes are not")
    func limited() async throws {
        let fixture = try await Fixture("identity_limited")
        try await fixture.service.ensureAdmin(
            email: "admin@janji.id", name: "Admin", password: Fixture.password)
        for _ in 0..<8 { _ = try await fixture.signIn() }
        for email in ["admin@janji.id", "nobody@janji.id"] {
            for _ in 0..<5 {
                let wrong = await refusal { _ = try await fixture.signIn(email, "wrong") }
                #expect(wrong.code == .unauthenticated)
            }
            let limited = await refusal {
                _ = try await fixture.signIn(email, Fixture.password)
            }
            #expect(limited.code == .resourceExhausted)
        }
        fixture.clock.advance(by: .seconds(61))
        _ = try await fixture.signIn()
    }

    @Test(
        "what is no session is refused",
        arguments: ["", "x", "' or 1=1 --", String(repeating: "A", count: 43)])
    func malformed(session: String) async throws {
        let fixture = try await Fixture("identity_malformed")
        let error = await refusal { _ = try await fixture.verify(session) }
        #expect(error.code == .unauthenticated)
    }

    @Test("GetMe without an admin, or for one who is gone, is refused")
    func nobody() async throws {
        let fixture = try await Fixture("identity_nobody")
        for id in [nil, UUID.random().description, "no-uuid"] {
            var metadata = Metadata()
            if let id { metadata.set(id, for: "x-test-admin") }
            let error = await refusal {
                _ = try await fixture.client.getMe(IdentityV1.GetMeRequest(), metadata: metadata)
            }
            #expect(error.code == .unauthenticated)
        }
    }

    @Test("ensureAdmin changes nothing when nothing changed; a new password ends the sessions")
    func bootstrap() async throws {
        let fixture = try await Fixture("identity_bootstrap")
        func ensure(_ password: String) async throws {
            try await fixture.service.ensureAdmin(
                email: "admin@janji.id", name: "Admin", password: password)
        }
        try await ensure(Fixture.password)
        let first = try await fixture.signIn()
        try await ensure(Fixture.password)
        _ = try await fixture.verify(first.sessionId)
        try await ensure("another-horse")
        let ended = await refusal { _ = try await fixture.verify(first.sessionId) }
        #expect(ended.code == .unauthenticated)
        let second = try await fixture.signIn("admin@janji.id", "another-horse")
        #expect(second.user?.id == first.user?.id)
        let short = await refusal { try await ensure("short") }
        #expect(short.code == .invalidArgument)
    }
}
