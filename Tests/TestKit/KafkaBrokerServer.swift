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

    private static let startTimeout = Duration.seconds(60)

    init() throws {
        guard let home = Self.home else { throw StartError(description: "KAFKA_HOME is not set") }
        self.home = home
        port = try Self.freePorts()
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
        controller.quorum.voters=1@127.0.0.1:\(port + 1)
        listeners=CLIENT://127.0.0.1:\(port),CONTROLLER://127.0.0.1:\(port + 1)
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
        while !isListening {
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
        _ = await server.waitForExit(within: .seconds(30))
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

    private var isListening: Bool { Self.withSocket(port) { connect($0, $1, $2) == 0 } }

    /// The first of two neighbouring free ports.
    private static func freePorts() throws -> UInt16 {
        for _ in 0..<200 {
            let port = UInt16.random(in: 20_000..<32_000)
            let areFree =
                withSocket(port) { bind($0, $1, $2) == 0 }
                && withSocket(port + 1) { bind($0, $1, $2) == 0 }
            if areFree { return port }
        }
        throw StartError(description: "no two neighbouring free ports")
    }

    private static func withSocket(
        _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
