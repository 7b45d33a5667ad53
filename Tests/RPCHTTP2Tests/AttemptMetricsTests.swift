import HTTP2
import Loop
import RPC
import RPCHTTP2
import Telemetry
import TestKit
import Testing

@Suite("Metrics of attempts (gRFC A66)", .timeLimit(.minutes(5)))
struct AttemptMetricsTests {
    private static let labels = #"grpc_method="test.T/Unary",grpc_target="t""#

    private func channel(
        _ server: RawServer, _ metrics: Metrics,
        _ configuration: ChannelConfiguration = ChannelConfiguration()
    ) throws -> InterceptedChannel {
        InterceptedChannel(
            try HTTP2Channel(
                target: "\(server.address)", loop: EventLoop(name: "client"),
                configuration: configuration),
            interceptors: [CallMetrics(metrics, target: "t")])
    }

    private func lines(_ code: String, _ attempts: Int, sent: Int, received: Int) -> [String] {
        let labels = "{\(Self.labels),grpc_status=\"\(code)\"}"
        let sizes = "total_compressed_message_size_bytes"
        return [
            "grpc_client_attempt_duration_seconds_count\(labels) \(attempts)",
            "grpc_client_attempt_sent_\(sizes)_sum\(labels) \(sent)",
            "grpc_client_attempt_rcvd_\(sizes)_sum\(labels) \(received)",
        ]
    }

    private func expect(_ metrics: Metrics, _ lines: [String]) async throws {
        // An attempt is counted when its stream has ended, which may be after the answer.
        _ = try await eventually { lines.allSatisfy { metrics.render().contains($0 + "\n") } }
        let text = metrics.render()
        for line in lines { #expect(text.contains(line + "\n"), "\(line) in \(text)") }
    }

    @Test("each retry is an attempt, the call is one")
    func retries() async throws {
        let server = try await RawServer { request in
            if request.number < 2 {
                request.answer(nil, status: 14)
            } else {
                request.answer([7, 7, 7])
            }
        }
        let metrics = Metrics()
        let channel = try channel(
            server, metrics, RetryTests.configuration(RetryTests.retry(4)))
        #expect(try await channel.unary(Methods.unary, [1, 2]) == [7, 7, 7])
        try await expect(
            metrics,
            lines("UNAVAILABLE", 2, sent: 4, received: 0) + lines("OK", 1, sent: 2, received: 3) + [
                "grpc_client_attempt_started_total{\(Self.labels)} 3",
                "grpc_client_call_duration_seconds_count{\(Self.labels),grpc_status=\"OK\"} 1",
            ])
        #expect(!metrics.render().contains("grpc_client_call_sent"))
    }

    @Test("hedges that lose are attempts that were cancelled")
    func hedges() async throws {
        let server = try await RawServer { if $0.number == 2 { $0.answer([5]) } }
        let metrics = Metrics()
        let channel = try channel(
            server, metrics,
            RetryTests.configuration(
                .hedging(HedgingPolicy(maxAttempts: 3, delay: .milliseconds(5)))))
        #expect(try await channel.unary(Methods.unary, [1]) == [5])
        try await expect(
            metrics,
            lines("CANCELLED", 2, sent: 2, received: 0) + lines("OK", 1, sent: 1, received: 1)
                + ["grpc_client_attempt_started_total{\(Self.labels)} 3"])
    }

    @Test("what the server refused unseen is an attempt; a call without attempts has none")
    func refused() async throws {
        let server = try await RawServer { request in
            if request.number == 0 {
                request.stream.reset(.refusedStream)
            } else {
                request.answer([5])
            }
        }
        let metrics = Metrics()
        let channel = try channel(server, metrics)
        #expect(try await channel.unary(Methods.unary, [1]) == [5])
        let late = await failure {
            _ = try await channel.unary(Methods.unary, [1], options: .timeout(.zero))
        }
        #expect(late?.code == .deadlineExceeded)
        try await expect(
            metrics,
            lines("UNAVAILABLE", 1, sent: 1, received: 0) + lines("OK", 1, sent: 1, received: 1) + [
                "grpc_client_attempt_started_total{\(Self.labels)} 2",
                "grpc_client_call_duration_seconds_count"
                    + "{\(Self.labels),grpc_status=\"DEADLINE_EXCEEDED\"} 1",
            ])
        #expect(
            !metrics.render().contains(
                "attempt_duration_seconds_count{\(Self.labels),grpc_status=\"DEADLINE_EXCEEDED\"}"))
    }
}
