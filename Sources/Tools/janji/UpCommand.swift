import Domain
import Edge
import Environment
import Glibc
import Identity
import Kafka
import Loop
import RPCHTTP2
import Telemetry

/// `janji up`: the whole system in one process on one machine.
struct UpCommand {
    let configuration: Configuration

    func run() async throws {
        let started = Deadline.now()
        let loop = EventLoop(name: "janji")
        let data = try DataFolder(try configuration.required(.data))
        let logger = try logger(in: data)
        let rehearsal = try await PortRehearsal(configuration, loop: loop)
        let database = try await database(data, loop, logger)
        let broker: (address: String, own: EmbeddedBroker?)
        do {
            broker = try self.broker()
        } catch {
            await stop(database.own, nil)
            throw error
        }
        do {
            try await serve(
                data, loop, logger, database: database.url,
                brokers: broker.address, rehearsal, started)
        } catch {
            await stop(database.own, broker.own)
            throw error
        }
        await stop(database.own, broker.own)
        Console.line("stopped; the data stays in \(data.path)")
    }

    private func stop(_ postgres: PrivatePostgres?, _ broker: EmbeddedBroker?) async {
        broker?.close()
        await postgres?.stop()
    }

    private func logger(in data: DataFolder) throws -> Logger {
        let file = "\(data.path)/janji.log"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw ConfigurationError("cannot write \(file): \(String(cString: strerror(errno)))")
        }
        return Logger(
            label: "janji", level: try configuration.logLevel(), sink: .descriptor(descriptor))
    }

    private func database(
        _ data: DataFolder, _ loop: EventLoop, _ logger: Logger
    ) async throws -> (url: String, own: PrivatePostgres?) {
        if let url = configuration.text(.databaseURL) { return (url, nil) }
        Console.line("starting a private PostgreSQL in \(data.path) …")
        let postgres = try await PrivatePostgres.start(in: data, loop: loop, logger: logger)
        return (postgres.url, postgres)
    }

    private func broker() throws -> (address: String, own: EmbeddedBroker?) {
        if let brokers = configuration.text(.kafkaBrokers) { return (brokers, nil) }
        let port = try configuration.port(.kafkaPort)
        Console.line("starting the embedded Kafka broker on 127.0.0.1:\(port) …")
        do {
            let broker = try EmbeddedBroker(port: port)
            return (broker.address, broker)
        } catch {
            throw ConfigurationError(
                "the embedded broker cannot start on port \(port) "
                    + "(choose one by \(Setting.kafkaPort.name)): \(error)")
        }
    }

    private func serve(
        _ data: DataFolder, _ loop: EventLoop, _ logger: Logger, database: String,
        brokers: String, _ rehearsal: PortRehearsal, _ started: Deadline
    ) async throws {
        let secret =
            try configuration.text(.jwtSecret) ?? data.secret("service-secret", bytes: 32)
        let host = try Host(
            configuration, loop: loop, logger: logger, databaseURL: database, brokers: brokers,
            secret: secret)
        Console.line("bringing the database up to date …")
        try await Migrations.apply(host)
        let station = try Station(host, roles: Role.allCases)
        let stop = StopSignal(loop: loop)
        try await station.ensureTopics()
        let fake = try await Payments.fake(configuration, loop)
        let builder = RoleParts(
            host: host, router: station.router, neighbours: station.neighbours,
            fakeProvider: fake)
        let auth = builder.auth()
        var parts = auth.parts
        for role in Role.allCases where role != .auth { parts += try builder.parts(of: role) }
        station.finishRouter()
        let edge = try station.makeEdge()
        let rpc = station.makeRPCServer()
        await rehearsal.release()
        let port = try await SharedPort(
            host: try configuration.required(.host), port: try configuration.port(.port),
            setting: .port, loop: loop, rpc: rpc, tls: host.encryption.server(.gateway),
            logger: logger, http: { edge.accept($0, initialBytes: $1) })
        parts.append(("edge", edge))
        parts.append(
            (
                "doors",
                Doors(ports: [port], rpc: rpc, edge: edge, loop: loop, logger: logger)
            ))
        if let fake {
            let scheme = configuration.isSet(.certificate) ? "https" : "http"
            let base = "\(scheme)://\(port.address)/api/payments/callbacks"
            parts.append(("fake-payments", FakeCallbacks(provider: fake, base: base)))
        }
        let password =
            try configuration.text(.adminPassword) ?? data.secret("admin-password", bytes: 9)
        let email = try configuration.required(.adminEmail)
        let loadsDemo = try configuration.flag(.demo)
        try await Runner(station: station, stop: stop).run(parts) {
            try await auth.service.ensureAdmin(email: email, name: "Admin", password: password)
            if loadsDemo {
                Console.line("loading demo data …")
                try await DemoData(station: station).load()
                try await DemoTrades(station: station).load()
            }
            station.markReady()
            Welcome(
                address: port.address, isSecure: configuration.isSet(.certificate), email: email,
                password: password,
                seconds: started.duration(to: Deadline.now()).secondsValue
            ).say()
        }
    }
}

/// Finds out that the port is taken before anything else has been started.
struct PortRehearsal {
    private let listener: Listener

    init(_ configuration: Configuration, loop: EventLoop) async throws {
        let host = try configuration.required(.host)
        let port = try configuration.port(.port)
        guard let address = SocketAddress(host: host, port: port) else {
            throw ConfigurationError("\(Setting.host.name) is “\(host)”, not an IP address")
        }
        do {
            listener = try await Listener.bind(address, on: loop) { $0.close() }
        } catch {
            throw ConfigurationError(
                "port \(port) is taken by another program; choose one by \(Setting.port.name)")
        }
    }

    func release() async { await listener.close() }
}
