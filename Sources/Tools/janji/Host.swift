import Booking
import Crypto
import Domain
import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
import RPCHTTP2
import Schema
import Telemetry

/// What all roles of one process share: loop, log, metrics, keys, contracts, where data lives.
struct Host: Sendable {
    let configuration: Configuration
    let loop: EventLoop
    let logger: Logger
    let metrics: Metrics
    let clock: Clock
    let key: JSONWebTokenKey
    let encryption: Encryption
    /// What customers prove by: holds, manage links, QR codes.
    let bookingTokens: BookingTokens
    let postgres: PostgresConfiguration
    let kafka: KafkaConfiguration
    let producer: KafkaProducer
    /// What `rpcurl top` shows.
    let channelz = ChannelzRegistry()

    /// Largest message of a call: an uploaded file of 5 MiB and what is around it.
    static let maxMessageBytes = 6 << 20

    /// Every contract of the system, for reflection, routes and access rules.
    static let contracts = DescriptorPool(SchemaFiles.all + RPCFiles.all + WellKnownFiles.all)

    init(
        _ configuration: Configuration, loop: EventLoop, logger: Logger, databaseURL: String,
        brokers: String, secret: String
    ) throws {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        metrics = Metrics()
        clock = .system
        key = try Host.key(secret)
        bookingTokens = BookingTokens(secret: Array(secret.utf8))
        encryption = try Encryption(configuration)
        postgres = PostgresConfiguration(
            url: databaseURL, poolSize: try configuration.number(.databasePool, in: 1...64),
            lockTimeout: .seconds(2))
        kafka = KafkaConfiguration(
            brokers: brokers, clientID: try configuration.required(.kafkaGroup))
        producer = try KafkaProducer(
            configuration: kafka, loop: loop, logger: logger, metrics: metrics)
        ProcessMetrics.register(in: metrics)
    }

    static func key(_ secret: String) throws(ConfigurationError) -> JSONWebTokenKey {
        guard let key = JSONWebTokenKey(id: "1", secret: Array(secret.utf8)) else {
            throw ConfigurationError(
                "\(Setting.jwtSecret.name) is shorter than \(JSONWebTokenKey.minimumLength) bytes")
        }
        return key
    }

    /// A pool that works as the role of the service that owns the schema.
    func pool(for schema: String) -> PostgresPool {
        PostgresPool(
            configuration: postgres.forService(schema), loop: loop,
            logger: logger.with(["schema": .string(schema)]), metrics: metrics)
    }

    func tokens(issuer: Role) -> ServiceTokens {
        ServiceTokens(issuer: issuer.context, key: key, clock: clock)
    }
}
