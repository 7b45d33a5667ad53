public import Foundation
import Synchronization

/// The real `janji`, started as a user would start it: everything in one process, or every role
/// in a process of its own. Listens on free loopback ports; ends with the tests.
public final class SystemUnderTest: Sendable {
    public enum Mode: String, Sendable, CaseIterable {
        /// `janji up`: private PostgreSQL, embedded broker.
        case oneProcess
        /// `janji serve ROLE` five times, with TestKit's PostgreSQL and broker.
        case apart
    }

    public enum Role: String, Sendable, CaseIterable {
        case auth, schedule, booking, notification, gateway

        /// The context in package names: the audience of tokens.
        public var context: String { self == .auth ? "identity" : rawValue }
    }

    /// What differs from the usual start.
    public struct Options: Sendable {
        /// `up` with a database of TestKit instead of its private one.
        public var ownsDatabase = false
        /// `up` with a broker of TestKit instead of the embedded one.
        public var ownsBroker = false
        /// Further or other variables.
        public var environment: [String: String] = [:]
        /// Demo data of `up`.
        public var demo = false

        public init() {}
    }

    public let mode: Mode
    public let folder: URL
    /// TestKit's database server, when this system uses one.
    public let cluster: PostgresCluster?
    /// TestKit's broker, when this system uses one.
    public let broker: KafkaBroker?
    public let ports: [Role: UInt16]
    public let adminEmail = "admin@e2e.test"
    public let adminPassword = "correct horse battery staple"
    /// The key of the tokens between services.
    public let secret = "e2e-secret-e2e-secret-e2e-secret-e2e"

    private let environment: [String: String]
    private let processes = Mutex<[(role: Role, process: BackgroundProcess)]>([])
    private static let counter = Mutex(0)
    static let database = "janji"

    /// Starts a system and returns once `/health` is 200 everywhere.
    public static func start(
        _ mode: Mode, _ options: Options = Options()
    ) async throws -> SystemUnderTest {
        let usesCluster = mode == .apart || options.ownsDatabase
        let cluster = usesCluster ? try await makeCluster() : nil
        let broker =
            mode == .apart || options.ownsBroker ? try await KafkaBroker.start() : nil
        let system = try SystemUnderTest(mode, options, cluster, broker)
        do {
            if mode == .apart { try await system.janji(["migrate"]) }
            try await system.launch()
        } catch {
            await system.destroy()
            throw error
        }
        return system
    }

    /// The system of this mode that all tests share which do not break it.
    public static func shared(_ mode: Mode) async throws -> SystemUnderTest {
        let task = sharedStarts.withLock { starts in
            let task =
                starts[mode]
                ?? Task {
                    var options = Options()
                    options.demo = true
                    return try await start(mode, options)
                }
            starts[mode] = task
            return task
        }
        return try await task.value
    }

    private static let sharedStarts = Mutex<[Mode: Task<SystemUnderTest, any Error>]>([:])

    private static func makeCluster() async throws -> PostgresCluster {
        try await offThread {
            // What survives kill -9 of processes does so without fsync, too.
            let cluster = try PostgresCluster(settings: ["fsync": "off"])
            try cluster.start()
            _ = try cluster.database(named: database)
            return cluster
        }
    }

    private init(
        _ mode: Mode, _ options: Options, _ cluster: PostgresCluster?, _ broker: KafkaBroker?
    ) throws {
        self.mode = mode
        self.cluster = cluster
        self.broker = broker
        let number = Self.counter.withLock { counter in
            counter += 1
            return counter
        }
        // Not under a private folder: the user `postgres` must be able to enter it.
        folder = URL(fileURLWithPath: "/tmp/janji-e2e.\(getpid()).\(number)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        var ports: [Role: UInt16] = [:]
        let gateway = try LocalPort.find()
        for role in Role.allCases {
            ports[role] =
                mode == .oneProcess || role == .gateway
                ? gateway : try LocalPort.find()
        }
        self.ports = ports
        var environment = ProcessInfo.processInfo.environment.filter { name, _ in
            !["JANJI_", "KAFKA_", "DATABASE_", "ADMIN_", "CAPTCHA_"].contains {
                name.hasPrefix($0)
            }
        }
        environment["JANJI_DATA"] = folder.appendingPathComponent("data").path
        environment["JANJI_PORT"] = String(gateway)
        environment["JANJI_RATE_LIMIT"] = "off"
        environment["ADMIN_EMAIL"] = adminEmail
        environment["ADMIN_PASSWORD"] = adminPassword
        environment["SERVICE_JWT_SECRET"] = secret
        environment["ALLOWED_ORIGINS"] = "https://school.example"
        if mode == .oneProcess {
            environment["JANJI_DEMO"] = options.demo ? "on" : "off"
            if broker == nil { environment["JANJI_KAFKA_PORT"] = String(try LocalPort.find()) }
        } else {
            for role in Role.allCases where role != .gateway {
                let port = String(ports[role] ?? 0)
                environment["\(role.rawValue.uppercased())_PORT"] = port
                environment["\(role.rawValue.uppercased())_SERVICE_URL"] =
                    "http://127.0.0.1:\(port)"
            }
        }
        if let cluster { environment["DATABASE_URL"] = cluster.url(database: Self.database) }
        if let broker { environment["KAFKA_BROKERS"] = broker.address }
        environment.merge(options.environment) { $1 }
        self.environment = environment
        let folder = folder
        AtExit.run { Self.removeRemains(folder) }
    }

    // MARK: Where things are

    /// The port of pages, JSON and WebSocket.
    public var port: UInt16 { ports[.gateway] ?? 0 }
    /// `127.0.0.1:port` of a role's gRPC.
    public func target(_ role: Role) -> String { "127.0.0.1:\(ports[role] ?? 0)" }

    /// Everything that the processes have logged.
    public var log: String {
        processes.withLock { $0.map(\.process) }.map(\.log).joined(separator: "\n")
    }

    /// The running processes; in one process the role is `gateway`.
    public func process(_ role: Role) -> BackgroundProcess? {
        processes.withLock { list in
            (list.last { $0.role == role } ?? (mode == .oneProcess ? list.last : nil))?.process
        }
    }

    /// Runs SQL as the superuser with psql; unaligned output without headings.
    @discardableResult
    public func sql(_ text: String) async throws -> String {
        let result = try await BackgroundProcess.run(
            "/usr/bin/psql",
            ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", databaseURL, "-c", text])
        guard result.status == 0 else {
            throw BackgroundProcess.Failure(description: "psql: \(result.errors)")
        }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Where the superuser reaches the database of this system.
    public var databaseURL: String {
        if let cluster { return cluster.url(database: Self.database) }
        // Line 5 of postmaster.pid is the folder of the socket.
        let file = folder.appendingPathComponent("data/postgres/postmaster.pid")
        let lines = ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(
            separator: "\n", omittingEmptySubsequences: false)
        let sockets = lines.count > 4 ? String(lines[4]) : "/nowhere"
        return "postgresql:///janji?host=\(sockets)&user=janji"
    }

    // MARK: Life

    /// Starts the processes that do not run, and waits until all of them are healthy.
    public func launch() async throws {
        let roles: [Role] = mode == .oneProcess ? [.gateway] : Role.allCases
        for role in roles where process(role)?.isRunning != true { try launch(role) }
        for role in roles { try await waitUntilHealthy(role) }
    }

    private func launch(_ role: Role) throws {
        let process = try BackgroundProcess(
            Executables.janji, mode == .oneProcess ? ["up"] : ["serve", role.rawValue],
            environment: environment,
            logFile: folder.appendingPathComponent("\(role.rawValue).log"), folder: folder)
        processes.withLock { list in
            list.removeAll { $0.role == role }
            list.append((role, process))
        }
    }

    /// One more process of a role, on a port of its own.
    public final class Replica: Sendable {
        public let port: UInt16
        private let start: @Sendable () throws -> BackgroundProcess
        private let process = Mutex<BackgroundProcess?>(nil)

        fileprivate init(
            _ port: UInt16, _ start: @escaping @Sendable () throws -> BackgroundProcess
        ) {
            self.port = port
            self.start = start
        }

        public var target: String { "127.0.0.1:\(port)" }
        public var log: String { process.withLock { $0 }?.log ?? "" }

        /// Starts it, again if need be, and returns once it is healthy.
        public func launch(within time: Duration = .seconds(180)) async throws {
            let new = try start()
            process.withLock { $0 = new }
            let end = ContinuousClock.now + time
            while await offThread({ [port] in LocalPort.status(of: "/health", at: port) }) != 200 {
                guard new.isRunning, ContinuousClock.now < end else {
                    throw BackgroundProcess.Failure(
                        description: "a replica is not healthy: \(new.log.suffix(2_000))")
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }

        public func kill9() async { await process.withLock { $0 }?.kill9() }

        @discardableResult
        public func stop() async -> Int32? { await process.withLock { $0 }?.stop() }
    }

    /// Another process of a role beside the first; not started yet, and its owner stops it.
    public func replica(of role: Role) throws -> Replica {
        let port = try LocalPort.find()
        var environment = environment
        environment["\(role.rawValue.uppercased())_PORT"] = String(port)
        let folder = folder
        return Replica(port) { [environment] in
            try BackgroundProcess(
                Executables.janji, ["serve", role.rawValue], environment: environment,
                logFile: folder.appendingPathComponent("\(role.rawValue)-\(port).log"),
                folder: folder)
        }
    }

    /// Waits for `/health`; throws with the end of the log when it does not come.
    public func waitUntilHealthy(
        _ role: Role = .gateway, within time: Duration = .seconds(180)
    ) async throws {
        let end = ContinuousClock.now + time
        let port = ports[role] ?? 0
        while await offThread({ LocalPort.status(of: "/health", at: port) }) != 200 {
            let process = process(role)
            guard process?.isRunning == true, ContinuousClock.now < end else {
                let tail = (process?.log ?? "").suffix(4_000)
                throw BackgroundProcess.Failure(
                    description: "\(mode) \(role) is not healthy; its log ends:\n\(tail)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// SIGTERM to every process, the gateway first.
    /// - Returns: each one's exit status; nil for what had to be killed.
    @discardableResult
    public func stop() async -> [Role: Int32?] {
        var statuses: [Role: Int32?] = [:]
        for (role, process) in processes.withLock({ $0 }).reversed() {
            statuses[role] = .some(await process.stop())
        }
        return statuses
    }

    /// `kill -9` of every process at once.
    public func kill9() async {
        let all = processes.withLock { $0.map(\.process) }
        for process in all { process.signal(SIGKILL) }
        for process in all { await process.kill9() }
    }

    /// Ends everything and removes it.
    public func destroy() async {
        await stop()
        await broker?.stop()
        let cluster = cluster
        let folder = folder
        await offThread {
            cluster?.destroy()
            Self.removeRemains(folder)
        }
    }

    /// Runs `janji` with other arguments in this system's environment.
    @discardableResult
    public func janji(_ arguments: [String]) async throws -> String {
        let result = try await BackgroundProcess.run(
            Executables.janji, arguments, environment: environment, folder: folder)
        guard result.status == 0 else {
            throw BackgroundProcess.Failure(
                description: "janji \(arguments) exits \(result.status): \(result.errors)")
        }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A bearer token with which RPCs of this role may be called as an admin.
    public func token(for role: Role) async throws -> String {
        try await token(audience: role.context)
    }

    /// What `janji token` prints.
    public func token(audience: String) async throws -> String {
        let output = try await janji(["token", audience])
        return String(output.split(separator: "\n").last ?? "")
    }

    /// The private database outlives a killed Janji, on purpose; it must not outlive the tests.
    private static func removeRemains(_ folder: URL) {
        let file = folder.appendingPathComponent("data/postgres/postmaster.pid")
        if let text = try? String(contentsOf: file, encoding: .utf8),
            let pid = Int32(text.prefix { $0 != "\n" })
        {
            kill(pid, SIGQUIT)
            usleep(200_000)
        }
        if ProcessInfo.processInfo.environment["JANJI_KEEP_LOGS"] == nil {
            try? FileManager.default.removeItem(at: folder)
        }
    }
}

/// Runs what blocks on a thread of its own.
@discardableResult
public func offThread<T: Sendable, E: Error>(
    _ body: @escaping @Sendable () throws(E) -> T
) async throws(E) -> T {
    try await withCheckedContinuation { (continuation: CheckedContinuation<Result<T, E>, Never>) in
        Thread.detachNewThread {
            continuation.resume(returning: Result { () throws(E) in try body() })
        }
    }.get()
}
