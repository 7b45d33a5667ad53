import Environment
import Kafka
import Loop
import Telemetry

/// `janji migrate`: the schemas of all services, brought up to date.
struct MigrateCommand {
    let configuration: Configuration
    var isPlan = false

    func run() async throws {
        let loop = EventLoop(name: "janji")
        let logger = Logger(label: "janji", level: try configuration.logLevel())
        let host = try Host(
            configuration, loop: loop, logger: logger,
            databaseURL: try configuration.required(.databaseURL),
            brokers: configuration.text(.kafkaBrokers) ?? "127.0.0.1:1",
            secret: configuration.text(.jwtSecret) ?? String(repeating: "-", count: 32))
        if isPlan {
            for line in try await Migrations.plan(host) { Console.line(line) }
            return
        }
        try await Migrations.apply(host)
        Console.line("the database is up to date")
    }
}
