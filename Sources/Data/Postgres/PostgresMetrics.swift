import Environment
import Telemetry

/// The metrics of one pool; looked up once.
final class PostgresMetrics: Sendable {
    let size: Gauge
    let inUse: Gauge
    let waiting: Gauge
    private let seconds: Histogram
    private let errors: [(category: String, counter: Counter)]
    private let otherErrors: Counter

    init(_ metrics: Metrics, pool: String) {
        let labels = [("pool", pool)]
        size = metrics.gauge(
            "postgres_pool_connections", help: "Open connections.", labels: labels)
        inUse = metrics.gauge(
            "postgres_pool_in_use", help: "Connections that are working.", labels: labels)
        waiting = metrics.gauge(
            "postgres_pool_waiting", help: "Callers waiting for a connection.", labels: labels)
        seconds = metrics.histogram(
            "postgres_query_seconds", help: "Duration of one round trip.", labels: labels)
        func counter(_ category: String) -> Counter {
            metrics.counter(
                "postgres_errors_total", help: "Failed round trips by SQLSTATE class.",
                labels: labels + [("class", category)])
        }
        errors = ["08", "22", "23", "25", "40", "42", "53", "55", "57", "P0", "XX"].map {
            ($0, counter($0))
        }
        otherErrors = counter("client")
    }

    func observe(_ exchange: Exchange, _ answer: Exchange.Answer) {
        seconds.observe(exchange.startedAt.duration(to: .now()))
        if case .failure(let error) = answer { count(error) }
    }

    func count(_ error: PostgresError) {
        let category = error.sqlState?.category
        (errors.first { $0.category == category }?.counter ?? otherErrors).add()
    }
}
