import Environment
import Glibc
import Protobuf

/// The result of a load run, for people and for programs.
struct BenchReport {
    private static let quantiles: [(name: String, value: Double)] = [
        ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999),
        ("p99_99", 0.9999),
    ]

    private let result: BenchResult
    private let settings: Settings
    private let path: String

    init(_ result: BenchResult, _ settings: Settings, _ path: String) {
        self.result = result
        self.settings = settings
        self.path = path
    }

    private var throughput: Double {
        let seconds = result.elapsed.secondsValue
        return seconds > 0 ? Double(result.completed) / seconds : 0
    }

    // MARK: For programs

    var json: JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("method", .string(path)),
            ("loop", .string(settings.bench.rate == nil ? "closed" : "open")),
        ]
        if let rate = settings.bench.rate {
            members.append(("rate", BenchReport.number(rate)))
            members.append(("max_outstanding", .number("\(settings.bench.maxOutstanding)")))
        } else {
            members.append(("concurrency", .number("\(settings.bench.concurrency)")))
        }
        members += [
            ("connections", .number("\(settings.bench.connections)")),
            ("elapsed_s", BenchReport.number(result.elapsed.secondsValue)),
            ("ok", .number("\(result.succeeded)")), ("failed", .number("\(result.failed)")),
            ("dropped", .number("\(result.dropped)")),
            ("unfinished", .number("\(result.unfinished)")),
            ("messages", .number("\(result.messages)")),
            ("calls_per_s", BenchReport.number(throughput)),
            (
                "failures",
                .object(
                    result.failures.sorted { $0.key < $1.key }.map {
                        ($0.key, .number("\($0.value)"))
                    })
            ),
            ("latency_ms", times(result.latency)), ("service_time_ms", times(result.serviceTime)),
            ("start_lateness_ms", times(result.lateness)),
        ]
        return .object(members)
    }

    private func times(_ histogram: LatencyHistogram) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("min", BenchReport.milliseconds(histogram.minimum)),
            ("mean", BenchReport.number(histogram.mean / 1e6)),
            ("stddev", BenchReport.number(histogram.standardDeviation / 1e6)),
        ]
        for (name, quantile) in BenchReport.quantiles {
            let value = histogram.value(atQuantile: quantile)
            members.append((name, BenchReport.milliseconds(value)))
        }
        members.append(("max", BenchReport.milliseconds(histogram.maximum)))
        return .object(members)
    }

    private static func milliseconds(_ nanoseconds: Int) -> JSONValue {
        .number(CallTimings.milliseconds(.nanoseconds(nanoseconds)))
    }

    private static func number(_ value: Double) -> JSONValue { .number(text(value)) }

    /// Three digits behind the point.
    private static func text(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(abs(thousandths) % 1000 + 1000).dropFirst()
        return "\(thousandths / 1000).\(fraction)"
    }

    // MARK: For people

    var lines: [String] {
        let bench = settings.bench
        let mode =
            bench.rate.map { "open loop, \(BenchReport.text($0)) calls/s wanted" }
            ?? "closed loop, \(bench.concurrency) at a time"
        var lines = [
            "\(path): \(mode), \(bench.connections) connection(s)",
            "\(result.succeeded) ok, \(result.failed) failed, \(result.dropped) dropped, "
                + "\(result.unfinished) unfinished in "
                + "\(BenchReport.text(result.elapsed.secondsValue)) s: "
                + "\(BenchReport.text(throughput)) calls/s",
        ]
        for (name, count) in result.failures.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(name): \(count)")
        }
        if let first = result.firstFailure { lines.append("  the first: \(first)") }
        guard result.completed > 0 else { return lines }
        lines.append("")
        lines.append(
            row(
                ["ms", "min", "mean"] + BenchReport.quantiles.map { BenchReport.title($0.name) } + [
                    "max"
                ]))
        lines.append(row(["latency"] + figures(result.latency)))
        if bench.rate != nil {
            lines.append(row(["service"] + figures(result.serviceTime)))
            lines.append(row(["lateness"] + figures(result.lateness)))
            if result.lateness.value(atQuantile: 0.99) > 5_000_000 {
                lines.append("rpcurl began calls late: it, not the server, may be the limit")
            }
        }
        return lines + [""] + picture
    }

    private static func title(_ name: String) -> String {
        String(name.map { $0 == "_" ? "." : $0 })
    }

    private func figures(_ histogram: LatencyHistogram) -> [String] {
        let values =
            [histogram.minimum, Int(histogram.mean)]
            + BenchReport.quantiles.map { histogram.value(atQuantile: $0.value) }
            + [histogram.maximum]
        return values.map { CallTimings.milliseconds(.nanoseconds($0)) }
    }

    private func row(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            let gap = String(repeating: " ", count: max(1, 9 - cell.count))
            return index == 0 ? cell + gap : gap + cell
        }.joined()
    }

    /// Calls by latency, in ten steps that grow evenly.
    private var picture: [String] {
        let low = Double(max(1, result.latency.minimum))
        let high = Double(max(result.latency.maximum, result.latency.minimum + 1))
        let step = pow(high / low, 0.1)
        var bounds: [Int] = []
        var bound = low
        for index in 1...10 {
            bound *= step
            bounds.append(index == 10 ? Int(high) : Int(bound))
        }
        let counts = result.latency.counts(upTo: bounds)
        let most = counts.max() ?? 1
        return zip(bounds, counts).map { bound, count in
            let bar = String(repeating: "#", count: count * 40 / max(1, most))
            let edge = CallTimings.milliseconds(.nanoseconds(bound))
            let gap = String(repeating: " ", count: max(1, 10 - edge.count))
            return "≤\(gap)\(edge) ms \(bar) \(count)"
        }
    }
}
