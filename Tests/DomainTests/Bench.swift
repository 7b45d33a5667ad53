import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
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
            configuration: .patient(url).forService("shop"), loop: loop,
            logger: Logger(label: "test", sink: LogCapture().sink), metrics: metrics)
    }
}
