import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Domain

/// Suites that need a server, one test at a time: several of them measure time.
@Suite(.serialized) enum ServerTests {}

/// What tests share.
enum Bench {
    static let loop = EventLoop(name: "domain-tests")

    static func pool(_ url: String, _ metrics: Metrics = Metrics()) -> PostgresPool {
        PostgresPool(
            configuration: PostgresConfiguration(url: url).forService("shop"), loop: loop,
            logger: Logger(label: "test", sink: LogCapture().sink), metrics: metrics)
    }
}

/// Repeats `condition` until it holds, for ten seconds at least.
func eventually(
    _ pause: Duration = .milliseconds(20), _ condition: () async throws -> Bool
) async throws -> Bool {
    let deadline = Deadline.after(.seconds(10))
    while !deadline.hasPassed {
        if try await condition() { return true }
        try await Bench.loop.sleep(for: pause)
    }
    return false
}

/// Counts from any task.
final class Count: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}

extension RPCError {
    /// The first detail of this type.
    func detail<M: Message>(_ type: M.Type) throws -> M? {
        let url = "type.googleapis.com/\(type.schema.fullName)"
        return try details.first { $0.typeURL == url }.map { try M(decoding: $0.value) }
    }
}
