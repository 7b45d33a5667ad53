import BenchSchema
import Loop
import Protobuf
import TestKit
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct BenchTests {
    @Test("every quantile is exact to 1 %") func quantiles() {
        var histogram = LatencyHistogram()
        for value in 1...100_000 { histogram.record(Int64(value) * 1000) }
        for quantile in [0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = (quantile * 100_000).rounded(.up) * 1000
            let found = Double(histogram.value(atQuantile: quantile))
            #expect(found >= exact && found <= exact * 1.01, "\(quantile): \(found)")
        }
        #expect(histogram.count == 100_000)
        #expect(histogram.minimum == 1000 && histogram.maximum == 100_000_000)
        #expect(abs(histogram.mean - 50_000_500) < 1)
        #expect(abs(histogram.standardDeviation - 28_867_513) < 1000)
        #expect(histogram.counts(upTo: [50_331_647, 100_000_000]).reduce(0, +) == 100_000)
    }

    @Test(
        "the edges of the histogram", arguments: [-1, 0, 1, 255, 256, 257, 511, 512, 1 << 30, .max])
    func edges(value: Int64) {
        var histogram = LatencyHistogram()
        histogram.record(value)
        let expected = max(0, min(Int(value), (1 << 42) - 1))
        #expect(histogram.value(atQuantile: 0.5) == expected)
        #expect(LatencyHistogram().value(atQuantile: 0.5) == 0)
    }

    static let templates: [(text: String, parts: [RequestTemplate.Part])] = [
        ("{}", [.text("{}")]),
        (#"{"a":{"b":{}}}"#, [.text(#"{"a":{"b":{}}}"#)]),
        (#"{"n":{{n}}}"#, [.text(#"{"n":"#), .number, .text("}")]),
        (#"{{{uuid}}{{random:-5:7}}"#, [.text("{"), .uuid, .random(-5, 7)]),
        ("{{time}}", [.time]),
    ]

    @Test("places to fill in", arguments: templates)
    func template(row: (text: String, parts: [RequestTemplate.Part])) throws {
        #expect(try RequestTemplate.parts(row.text) == row.parts)
    }

    @Test("unknown places", arguments: ["{{m}}", "{{random:5:1}}", "{{random}}", "{{n:1}}"])
    func unknown(text: String) {
        #expect(throws: Failure.self) { try RequestTemplate.parts(text) }
    }

    @Test("closed and open loop count their calls", arguments: [["-c", "3"], ["-rate", "400"]])
    func counts(flags: [String]) async throws {
        try await Fixture.with { server in
            let result = try await Fixture.run(
                ["-json", server.address, "bench", "bench.Bench/Book"] + flags + [
                    "-n", "50", "-warmup", "0", "-connections", "2", "-d",
                    #"{"id":"{{uuid}}","start_unix":{{n}}}"#,
                ])
            let json = try JSONValue.parse(Array(result.output.utf8))
            #expect(json["ok"] == 50 && json["failed"] == 0 && json["dropped"] == 0)
            #expect(json["messages"] == 50)
            let times = try #require(json["latency_ms"])
            let order = ["min", "p50", "p90", "p99", "p99_9", "max"].compactMap {
                times[$0]?.double
            }
            #expect(order.count == 6 && order == order.sorted() && order[0] > 0)
            #expect(result.code == 0, "\(result.notes)")
        }
    }

    @Test("streams: each call counts its messages") func streams() async throws {
        try await Fixture.with { server in
            var result = try await server.run(
                "-json", "ADDRESS", "bench", "bench.Bench/Stream", "{\"n\":10}", "-n", "5", "-c",
                "2", "-warmup", "0")
            #expect(try JSONValue.parse(Array(result.output.utf8))["messages"] == 50)
            result = try await server.run(
                "-json", "ADDRESS", "bench", "bench.Bench/PingPong", "{\"n\":1}{\"n\":{{n}}}", "-n",
                "5", "-c", "2", "-warmup", "0")
            #expect(try JSONValue.parse(Array(result.output.utf8))["messages"] == 10)
        }
    }

    @Test("failures by status, dropped calls, exit code 1") func failures() async throws {
        try await Fixture.with { server in
            let result = try await server.run(
                "ADDRESS", "bench", "bench.Bench/Echo", "{\"n\":5}", "-n", "7", "-c", "1",
                "-warmup", "0")
            #expect(result.output.contains("  NOT_FOUND: 7\n  the first: NOT_FOUND: as asked"))
            #expect(result.code == 1)
        }
        let idle = EventLoop(name: "idle")
        let silent: BenchMethods.Stream = { _, _ in try await idle.sleep(for: .seconds(600)) }
        try await Fixture.with(stream: silent) { server in
            // Silent streams hold both places: the other calls are not begun.
            let result = try await server.run(
                "-json", "ADDRESS", "bench", "bench.Bench/Stream", "{}", "-rate", "100",
                "-duration", "0.3", "-warmup", "0", "-max-outstanding", "2", "-max-time", "5")
            let json = try JSONValue.parse(Array(result.output.utf8))
            #expect(json["failures"]?["DEADLINE_EXCEEDED"] == 2, "\(result.output)")
            #expect(json["dropped"] == 28)
            #expect(result.code == 1)
        }
        await idle.stop()
    }

    @Test("Ctrl-C ends the run with what was counted") func interrupt() async throws {
        try await Fixture.with { server in
            let bench = server.start(
                "ADDRESS", "bench", "bench.Bench/Echo", "-rate", "200", "-duration", "1000",
                "-warmup", "0")
            let isServed = try await eventually { server.echoes.value > 3 }
            #expect(isServed)
            bench.interrupt()
            let result = await bench.result()
            #expect(result.output.contains("open loop, 200.000 calls/s wanted"))
            #expect(result.output.contains(" ok, 0 failed"), "\(result.output) \(result.notes)")
        }
    }
}
