import Domain
import Environment
import Kafka
import Loop
import Postgres
import Telemetry

/// `janji events …`: looks at published events, publishes them again, sends dead letters back.
struct EventsCommand {
    let configuration: Configuration
    let request: EventsRequest

    func run() async throws {
        let loop = EventLoop(name: "janji")
        let logger = Logger(label: "janji", level: .warning)
        switch request {
        case .list(let range, let cursor, let limit, let withBodies):
            try await withArchive(range, loop, logger) { archive in
                let entries = try await archive.list(range.selection, after: cursor, limit: limit)
                for entry in entries { Console.line(Self.line(entry, withBodies)) }
            }
        case .replay(let range, let isRehearsal):
            try await withArchive(range, loop, logger) { archive in
                let count =
                    isRehearsal
                    ? try await archive.replayable(range.selection)
                    : try await archive.replay(range.selection, deadline: .after(.seconds(300)))
                Console.line(
                    isRehearsal
                        ? "\(count) events would be published again"
                        : "\(count) events will be published again by the running \(range.schema)")
            }
        case .deadLetters(let topic):
            for letter in try await deadLetters(loop, logger).list(of: topic) {
                Console.line(Self.line(letter))
            }
        case .redrive(let topic, let limit):
            let producer = try KafkaProducer(
                configuration: try kafka(), loop: loop, logger: logger, metrics: Metrics())
            do {
                let sent = try await deadLetters(loop, logger)
                    .redrive(topic, limit: limit, through: producer)
                for letter in sent { Console.line(Self.line(letter)) }
                Console.line("\(sent.count) records were sent back to \(topic)")
            } catch {
                await producer.close()
                throw error
            }
            await producer.close()
        }
    }

    private func withArchive(
        _ range: EventsRequest.Range, _ loop: EventLoop, _ logger: Logger,
        _ body: (OutboxArchive) async throws -> Void
    ) async throws {
        var settings = PostgresConfiguration(
            url: try configuration.required(.databaseURL), poolSize: 1,
            defaultQueryTimeout: .seconds(60), statementTimeout: .seconds(300)
        ).forService(range.schema)
        settings.applicationName = "janji-events"
        let pool = PostgresPool(configuration: settings, loop: loop, logger: logger)
        do {
            try await body(OutboxArchive(pool: pool))
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }

    private func deadLetters(_ loop: EventLoop, _ logger: Logger) throws -> DeadLetters {
        DeadLetters(configuration: try kafka(), loop: loop, logger: logger, metrics: Metrics())
    }

    /// The embedded broker of `janji up` when no other one is named.
    private func kafka() throws -> KafkaConfiguration {
        let own = "127.0.0.1:\(try configuration.port(.kafkaPort))"
        return KafkaConfiguration(
            brokers: configuration.text(.kafkaBrokers) ?? own, clientID: "janji-events")
    }

    private static func line(_ entry: OutboxArchive.Entry, _ withBodies: Bool) -> String {
        let fields = [
            entry.cursor.description, entry.at.rfc3339, entry.topic, entry.key,
            entry.eventID.description, entry.publishedAt?.rfc3339 ?? "unpublished",
        ]
        return (fields + (withBodies ? [entry.body] : [])).joined(separator: "\t")
    }

    private static func line(_ letter: DeadLetters.Letter) -> String {
        [
            letter.position.description, letter.at?.rfc3339 ?? "-", letter.origin,
            "\(letter.record.value.count) bytes", letter.reason,
        ].joined(separator: "\t")
    }
}
