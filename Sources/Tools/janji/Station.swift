import Domain
import Edge
import Environment
import Kafka
import Lifecycle
import Loop
import Notification
import RPC
import RPCHTTP2
import Schema
import Synchronization
import Telemetry

/// The roles of one process, wired: router, neighbours, ports, and what runs.
final class Station: Sendable {
    let host: Host
    let roles: [Role]
    let router: Router
    let neighbours: Neighbours
    private let ready = Atomic<Bool>(false)

    init(_ host: Host, roles: [Role]) throws {
        self.host = host
        self.roles = roles
        let policy = AccessPolicy(Host.contracts)
        let isLimited = try host.configuration.flag(.rateLimit)
        router = Router(
            interceptors: [
                Tracing(),
                CallLogging(
                    host.logger.labelled("call"), success: .debug, refusal: .debug),
                CallMetrics(host.metrics),
                Authentication(policy: policy, keys: [host.key], clock: host.clock),
                isLimited ? PublicRate() : PublicRate(reading: .unlimited, writing: .unlimited),
            ],
            logger: host.logger.labelled("rpc"))
        neighbours = try Neighbours(host, roles: roles, router: router)
    }

    var isReady: Bool { ready.load(ordering: .acquiring) }

    func markReady() { ready.store(true, ordering: .releasing) }

    /// Adds health, reflection and channelz; after this the router is complete.
    func finishRouter() {
        let health = HealthService()
        health.set(.serving)
        for service in router.services { health.set(.serving, for: service) }
        router.register(health)
        router.register(ChannelzService(host.channelz))
        router.register(ReflectionService(pool: Host.contracts, services: router.services))
    }

    /// The topics must be there before the first event, so that nobody misses it.
    func ensureTopics() async throws {
        try await KafkaTopics.ensure(
            NotificationTopics.topics(partitions: 4), configuration: host.kafka, loop: host.loop,
            logger: host.logger)
    }

    /// The browser's door, when this process has it.
    func makeEdge() throws -> EdgeServer {
        var configuration = EdgeConfiguration()
        configuration.allowedOrigins = try host.configuration.origins()
        configuration.captcha = try Captcha(host.configuration).widget()
        configuration.cookieSecure = try host.configuration.flag(.cookieSecure)
        if try !host.configuration.flag(.rateLimit) {
            configuration.publicRate = .unlimited
            configuration.overallRate = .unlimited
            configuration.maxSocketsPerAddress = 0
        }
        return try EdgeServer(
            configuration: configuration, pool: Host.contracts, backend: backend(),
            loop: host.loop, logger: host.logger.labelled("edge"), metrics: host.metrics,
            isReady: { [weak self] in self?.isReady ?? false })
    }

    private func backend() -> EdgeBackend {
        let neighbours = neighbours
        let auth = IdentityV1.AuthClient(
            neighbours.channel(from: .gateway, to: .auth, as: .service(name: "gateway")))
        return EdgeBackend(
            channel: { service, principal in
                guard let role = Neighbours.role(of: service) else { return nil }
                let caller: Principal =
                    switch principal {
                    case .anonymous: .anonymous
                    case .admin(let id): .admin(id: id)
                    case .service: .service(name: "gateway")
                    }
                return neighbours.channel(from: .gateway, to: role, as: caller)
            },
            verifySession: { session in
                var request = IdentityV1.VerifySessionRequest()
                request.sessionId = session
                do {
                    let answer = try await auth.verifySession(
                        request, options: .timeout(.seconds(5)))
                    guard let user = answer.user, let expiry = answer.expiresAt else { return nil }
                    return EdgeSession(userID: user.id, expiresAt: Instant(expiry))
                } catch let error as RPCError where error.code == .unauthenticated {
                    return nil
                }
            })
    }

    func makeRPCServer() -> RPCServer {
        var configuration = ServerConfiguration(maxMessageBytes: Host.maxMessageBytes)
        configuration.channelz = host.channelz
        return RPCServer(
            router: router, configuration: configuration,
            logger: host.logger.labelled("rpc-server"), metrics: host.metrics)
    }

    /// What answers HTTP/1.1 on the ports of roles without an edge.
    func statusAccept(_ name: String) -> SharedPort.Accept {
        { [self] socket, bytes in
            StatusResponder.accept(
                socket, bytes, service: name, metrics: host.metrics, isReady: { self.isReady })
        }
    }
}
