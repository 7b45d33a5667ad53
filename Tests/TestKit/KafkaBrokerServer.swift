import Foundation
import Synchronization

/// Apache Kafka from KAFKA_HOME, one KRaft node on loopback, in a temporary folder.
final class KafkaServer: Sendable {
    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    /// The distribution (`bin/kafka-storage.sh`, `bin/kafka-server-start.sh`, `libs/`).
    static var home: String? {
        guard let home = ProcessInfo.processInfo.environment["KAFKA_HOME"], !home.isEmpty else {
            return nil
        }
        return home
    }

    let address: String
    private let port: UInt16
    private let home: String
    private let folder: URL
    private let process = Mutex<BackgroundProcess?>(nil)

    private static let startTimeout = Duration.seconds(180)

    init() throws {
        guard let home = Self.home else { throw StartError(description: "KAFKA_HOME is not set") }
        self.home = home
        port = try LocalPort.find()
        address = "127.0.0.1:\(port)"
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-kafka-\(getpid())-\(port)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try properties.write(to: propertiesFile, atomically: true, encoding: .utf8)
    }

    private var propertiesFile: URL { folder.appendingPathComponent("server.properties") }
    private var logFile: URL { folder.appendingPathComponent("kafka.log") }

    /// One small node that starts fast; see `run` of the shared Kafka folder.
    private var properties: String {
        """
        process.roles=broker,controller
        node.id=1
        controller.quorum.voters=1@127.0.0.1:\(port + 1_000)
        listeners=CLIENT://127.0.0.1:\(port),CONTROLLER://127.0.0.1:\(port + 1_000)
        advertised.listeners=CLIENT://127.0.0.1:\(port)
        listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
        inter.broker.listener.name=CLIENT
        controller.listener.names=CONTROLLER
        log.dirs=\(folder.path)/log
        num.partitions=4
        default.replication.factor=1
        offsets.topic.num.partitions=1
        offsets.topic.replication.factor=1
        transaction.state.log.num.partitions=1
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        share.coordinator.state.topic.num.partitions=1
        share.coordinator.state.topic.replication.factor=1
        share.coordinator.state.topic.min.isr=1
        group.initial.rebalance.delay.ms=0
        broker.session.timeout.ms=3000
        broker.heartbeat.interval.ms=500
        num.network.threads=1
        num.io.threads=2
        background.threads=1
        log.cleaner.dedupe.buffer.size=4194304

        """
    }

    /// Returns when clients are served; formats the folder at the first start.
    func start() async throws {
        if !FileManager.default.fileExists(atPath: folder.path + "/log/meta.properties") {
            let id = try await run("kafka-storage.sh", ["random-uuid"])
            _ = try await run(
                "kafka-storage.sh",
                [
                    "format", "--config", propertiesFile.path, "--cluster-id", id,
                    "--ignore-formatted",
                ])
        }
        let server = try BackgroundProcess(
            script("kafka-server-start.sh"), [propertiesFile.path], environment: environment,
            logFile: logFile, folder: folder)
        process.withLock { $0 = server }
        let deadline = ContinuousClock.now + Self.startTimeout
        while !LocalPort.answers(port) {
            guard server.isRunning, ContinuousClock.now < deadline else {
                throw StartError(description: "Kafka did not start, see \(logFile.path)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// `kill -9`.
    func kill() async { await end(SIGKILL) }

    /// SIGTERM, and the folder goes.
    func stop() async {
        await end(SIGTERM)
        try? FileManager.default.removeItem(at: folder)
    }

    private func end(_ signal: Int32) async {
        let server = process.withLock { process in
            defer { process = nil }
            return process
        }
        guard let server else { return }
        server.signal(signal)
        if await server.waitForExit(within: .seconds(60)) == nil { await server.kill9() }
    }

    private func script(_ name: String) -> String { "\(home)/bin/\(name)" }

    private var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["LOG_DIR"] = folder.path
        return environment
    }

    private func run(_ name: String, _ arguments: [String]) async throws -> String {
        let outcome = try await BackgroundProcess.run(
            script(name), arguments, environment: environment, folder: folder)
        guard outcome.status == 0 else {
            throw StartError(
                description: "\(name) \(arguments) exits \(outcome.status): \(outcome.errors)")
        }
        return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
