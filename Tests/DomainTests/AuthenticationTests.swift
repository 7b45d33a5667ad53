import Crypto
import Environment
import Protobuf
import RPC
import Schema
import Telemetry
import Testing

@testable import Domain

/// Tokens that must and must not open an RPC for admins (X-26).
struct AuthenticationTests {
    private let time = ManualClock(Instant(microseconds: 1_764_633_600_000_000))
    private let key = Keys.key("current")
    private let channel: InProcessChannel
    private let tokens: ServiceTokens

    init() {
        let authentication = Authentication(
            policy: AccessPolicy(AccessTests.contracts), keys: [key, Keys.key("next", fill: 8)],
            clock: time.clock)
        let router = Router(
            interceptors: [authentication],
            logger: Logger(label: "test", sink: LogCapture().sink))
        for method in [BookingV1.BookingsMethods.confirm, BookingV1.BookingsMethods.registerCourse]
        {
            router.handle(method) { call in
                _ = try await call.receiveOnly()
                try call.sendOnly(Array(call.context.principal.actor.utf8))
            }
        }
        channel = InProcessChannel(router: router, loop: Bench.loop)
        tokens = ServiceTokens(issuer: "gateway", key: key, clock: time.clock)
    }

    private func call(
        _ authorization: String?, _ method: MethodDescriptor = BookingV1.BookingsMethods.confirm
    ) async -> String {
        var metadata = Metadata()
        if let authorization { metadata.set(authorization, for: "authorization") }
        do {
            let answer = try await channel.unary(
                method, [], metadata: metadata, options: CallOptions())
            return String(decoding: answer, as: UTF8.self)
        } catch {
            return RPCError(wrapping: error).code.name
        }
    }

    private func token(
        audience: String = "booking", key: JSONWebTokenKey? = nil, role: String? = "admin",
        lifetime: Duration = .seconds(240), issued: Duration = .zero
    ) -> String {
        let now = time.now + issued
        return JSONWebToken.sign(
            JSONWebToken.Claims(
                issuer: "gateway", subject: "7", audience: audience, issuedAt: now,
                expiresAt: now + lifetime, extra: role.map { ["role": $0] } ?? [:]),
            key: key ?? self.key)
    }

    @Test("a token for this audience, key and time opens the call for its subject")
    func good() async {
        #expect(await call("Bearer \(token())") == "admin:7")
        #expect(await call("Bearer \(token(key: Keys.key("next", fill: 8)))") == "admin:7")
    }

    @Test("X-26: expired, foreign, too long, early and malformed tokens are UNAUTHENTICATED")
    func bad() async {
        let rows: [(String, String)] = [
            ("expired", token(issued: .seconds(-300))),
            ("for another service", token(audience: "schedule")),
            ("another key, same id", token(key: Keys.key("current", fill: 9))),
            ("unknown key", token(key: Keys.key("old"))),
            ("valid for an hour", token(lifetime: .seconds(3600))),
            ("issued in the future", token(issued: .seconds(120))),
            ("garbage", "garbage"), ("two dots", "a.b.c"), ("empty", ""),
            ("cut", String(token().dropLast(2))),
        ]
        for (name, token) in rows {
            #expect(await call("Bearer \(token)") == "UNAUTHENTICATED", "\(name)")
            // A bad token is refused also where none is needed: it is a mistake worth telling.
            #expect(
                await call("Bearer \(token)", BookingV1.BookingsMethods.registerCourse)
                    == "UNAUTHENTICATED", "\(name)")
        }
        #expect(await call("Basic YWRtaW46YWRtaW4=") == "UNAUTHENTICATED")
        #expect(await call(nil) == "UNAUTHENTICATED")
        #expect(await call(nil, BookingV1.BookingsMethods.registerCourse) == "public")
    }

    @Test("a role that we do not know is nobody")
    func roles() async {
        #expect(await call("Bearer \(token(role: "superuser"))") == "UNAUTHENTICATED")
        #expect(await call("Bearer \(token(role: nil))") == "UNAUTHENTICATED")
        #expect(await call("Bearer \(token(role: "service"))") == "PERMISSION_DENIED")
    }

    @Test("a verified token that is remembered still expires")
    func cachedExpiry() async {
        let token = "Bearer \(token())"
        #expect(await call(token) == "admin:7")
        time.advance(by: .seconds(239))
        #expect(await call(token) == "admin:7")
        // 30 s of skew are allowed beyond exp.
        time.advance(by: .seconds(32))
        #expect(await call(token) == "UNAUTHENTICATED")
    }

    @Test("X-26: tokens are made for one audience and caller, kept, and renewed before they end")
    func renewal() async throws {
        let first = tokens.token(for: "booking", as: .admin(id: "7"))
        #expect(tokens.token(for: "booking", as: .admin(id: "7")) == first)
        #expect(tokens.token(for: "schedule", as: .admin(id: "7")) != first)
        #expect(tokens.token(for: "booking", as: .admin(id: "8")) != first)
        #expect(await call("Bearer \(first)") == "admin:7")
        time.advance(by: ServiceTokens.lifetime / 2)
        let second = tokens.token(for: "booking", as: .admin(id: "7"))
        #expect(second != first)
        #expect(await call("Bearer \(second)") == "admin:7")
        let claims = try JSONWebTokenVerifier.service(keys: [key], audience: "booking")
            .verify(second, at: time.now)
        #expect(time.now.duration(to: claims.expiresAt) <= .seconds(300))
    }

    @Test(
        "the audience is the context of the package",
        arguments: [
            ("janji.booking.v1.Bookings", "booking"), ("janji.schedule.v1.Schedule", "schedule"),
            ("grpc.health.v1.Health", "grpc.health.v1.Health"),
            ("grpc.channelz.v1.Channelz", "channelz"),
        ])
    func audience(_ service: String, _ audience: String) {
        #expect(ServiceTokens.audience(of: service) == audience)
    }
}
