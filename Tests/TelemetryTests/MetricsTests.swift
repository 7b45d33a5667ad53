import Telemetry
import Testing

@Suite struct MetricsTests {
    @Test("D-25: Prometheus text 0.0.4 in the order of registration")
    func render() {
        let metrics = Metrics()
        metrics.counter("rpc_total", help: "Calls.", labels: [("method", "Confirm")]).add(3)
        metrics.gauge("pool_in_use", help: "Connections\nin use \\ taken").set(2.5)
        metrics.counter("rpc_total", help: "Calls.", labels: [("method", "a\"b\\c\nd")]).add()
        metrics.gauge("open", help: "Open.") { 7 }
        #expect(
            metrics.render() == #"""
                # HELP rpc_total Calls.
                # TYPE rpc_total counter
                rpc_total{method="Confirm"} 3
                rpc_total{method="a\"b\\c\nd"} 1
                # HELP pool_in_use Connections\nin use \\ taken
                # TYPE pool_in_use gauge
                pool_in_use 2.5
                # HELP open Open.
                # TYPE open gauge
                open 7

                """#)
    }

    @Test("a histogram has cumulative buckets, and bounds belong to their bucket")
    func histogram() {
        let metrics = Metrics()
        let histogram = metrics.histogram(
            "latency_seconds", help: "Latency.", buckets: [0.1, 1], labels: [("m", "x")])
        for value in [0.05, 0.1, 0.5, 1.5, .nan] { histogram.observe(value) }
        histogram.observe(.milliseconds(250))
        #expect(histogram.bucketCounts == [2, 2, 1])
        #expect(
            metrics.render() == """
                # HELP latency_seconds Latency.
                # TYPE latency_seconds histogram
                latency_seconds_bucket{m="x",le="0.1"} 2
                latency_seconds_bucket{m="x",le="1"} 4
                latency_seconds_bucket{m="x",le="+Inf"} 5
                latency_seconds_sum{m="x"} 2.4
                latency_seconds_count{m="x"} 5

                """)
    }

    @Test("the same name and labels, in any order, give the same handle")
    func sameHandle() {
        let metrics = Metrics()
        let first = metrics.counter("c", help: "", labels: [("a", "1"), ("b", "2")])
        #expect(first === metrics.counter("c", help: "", labels: [("b", "2"), ("a", "1")]))
        #expect(first !== metrics.counter("c", help: "", labels: [("a", "2"), ("b", "1")]))
        #expect(first !== metrics.counter("c", help: ""))
        #expect(metrics.gauge("g", help: "") === metrics.gauge("g", help: ""))
        #expect(metrics.histogram("h", help: "") === metrics.histogram("h", help: ""))
    }

    @Test func gaugeMoves() {
        let gauge = Metrics().gauge("g", help: "")
        gauge.set(10)
        gauge.add(-3)
        gauge.add(0.5)
        #expect(gauge.value == 7.5)
    }

    @Test(
        "numbers as Prometheus writes them",
        arguments: [
            (Double.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (0, "0"), (-2, "-2"),
            (0.1, "0.1"), (1e300, "1e+300"),
        ])
    func numbers(value: Double, text: String) {
        let metrics = Metrics()
        metrics.gauge("g", help: "h").set(value)
        #expect(metrics.render().hasSuffix("\ng \(text)\n"))
    }

    @Test("no addition is lost between threads")
    func concurrency() {
        let metrics = Metrics()
        let threads = 4
        let rounds = 20_000
        onThreads(threads) { index in
            // Each thread asks by itself, so that registration races too.
            let counter = metrics.counter("c", help: "")
            let gauge = metrics.gauge("g", help: "")
            let histogram = metrics.histogram("h", help: "", buckets: [0, 1, 2])
            for _ in 0..<rounds {
                counter.add(2)
                gauge.add(1)
                histogram.observe(Double(index))
            }
        }
        let total = threads * rounds
        #expect(metrics.counter("c", help: "").value == UInt64(2 * total))
        #expect(metrics.gauge("g", help: "").value == Double(total))
        let histogram = metrics.histogram("h", help: "")
        #expect(histogram.bucketCounts == Array(repeating: UInt64(rounds), count: 4))
        #expect(histogram.sum == Double(6 * rounds))
    }

    @Test("rendering while others count never shows a falling number")
    func renderWhileCounting() {
        let metrics = Metrics()
        let histogram = metrics.histogram("h", help: "", buckets: [1])
        onThreads(2) { index in
            var last: UInt64 = 0
            for round in 0..<2000 {
                if index == 0 {
                    histogram.observe(Double(round % 3))
                } else {
                    let lines = metrics.render().split(separator: "\n")
                    let values = lines.filter { !$0.hasPrefix("#") }.compactMap {
                        $0.split(separator: " ").last.flatMap { UInt64($0) }
                    }
                    // le="1", le="+Inf", sum, count
                    #expect(values.count == 4 && values[0] <= values[1] && values[1] == values[3])
                    #expect(values[3] >= last)
                    last = values[3]
                }
            }
        }
        #expect(histogram.count == 2000)
    }

    @Test("names that Prometheus would refuse end the program")
    func badName() async {
        await #expect(processExitsWith: .failure) {
            _ = Metrics().counter("rpc-total", help: "")
        }
        await #expect(processExitsWith: .failure) {
            _ = Metrics().counter("c", help: "", labels: [("le", "1")])
        }
        await #expect(processExitsWith: .failure) {
            let metrics = Metrics()
            _ = metrics.counter("c", help: "")
            _ = metrics.gauge("c", help: "")
        }
    }
}
