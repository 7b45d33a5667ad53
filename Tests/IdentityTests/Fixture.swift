import Crypto
import Domain
import Environment
import Loop
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Identity

/// The service behind a router, on a database of its own, under a clock that stands.
struct Fixture {
    static let loop = EventLoop(name: "identity-tests")
    static let password = "korrekt-horse"

    let pool: PostgresPool
    let clock = ManualClock(Instant(microseconds: 1_764_633_600_000_000))
    let service: IdentityService
    let client: IdentityV1.AuthClient
    /// The principal that calls arrive with.
    let caller: Caller

    init(_ name: String) async throws {
        let url = try await PostgresCluster.sharedDatabase(
            "\(name)_\(UInt32.random(in: 0 ... .max))")
        let logger = Logger(label: "test", sink: LogCapture().sink)
        let owner = PostgresPool(
            configuration: .patient(url), loop: Self.loop, logger: logger,
            metrics: Metrics())
        try await Migrator(owner, schema: "identity", logger: logger).apply(IdentityMigrations.all)
        await owner.close()
        pool = PostgresPool(
            configuration: .patient(url).forService("identity"),
            loop: Self.loop, logger: logger, metrics: Metrics())
        service = IdentityService(
            pool: pool, clock: clock.clock, loop: Self.loop,
            passwordCost: Scrypt.Parameters(cost: 1 << 10, blockSize: 8, parallelism: 1))
        caller = Caller()
        let router = Router(interceptors: [caller], logger: logger)
        router.register(service)
        client = IdentityV1.AuthClient(InProcessChannel(router: router, loop: Self.loop))
    }

    func signIn(
        _ email: String = "admin@janji.id", _ password: String = Fixture.password
    ) async throws -> IdentityV1.CreateSessionResponse {
        var request = IdentityV1.CreateSessionRequest()
        request.email = email
        request.password = password
        return try await client.createSession(request)
    }

    func verify(_ session: String) async throws -> IdentityV1.VerifySessionResponse {
        var request = IdentityV1.VerifySessionRequest()
        request.sessionId = session
        return try await client.verifySession(request)
    }
}

/// Stands in for Domain's authentication: `x-test-admin` names the admin.
struct Caller: ServerInterceptor {
    func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        if let id = call.context.metadata.first("x-test-admin") {
            call.context[PrincipalKey.self] = .admin(id: id)
        }
        try await next(call)
    }
}

/// The status of a call that must fail.
func refusal(
    _ location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async -> RPCError {
    do {
        try await body()
    } catch {
        return RPCError(wrapping: error)
    }
    Issue.record("nothing was thrown", sourceLocation: location)
    return RPCError(.ok, "nothing was thrown")
}
