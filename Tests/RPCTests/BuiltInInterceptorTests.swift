import Environment
import Loop
import Protobuf
public import RPC
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("RPC built-in interceptors", .timeLimit(.minutes(5)))
struct BuiltInInterceptorTests {
    /// Numbers that count up, for ids that a test can name.
    private static func counting(from first: UInt64 = 1) -> @Sendable () -> UInt64 {
        let box = Box(first)
        return { box.next() }
    }

    private final class Box: Sendable {
        private let value: Mutex<UInt64>
        init(_ value: UInt64) { self.value = Mutex(value) }
        func next() -> UInt64 {
            value.withLock { value in
                defer { value += 1 }
                return value
            }
        }
    }

    @Test("logging: sizes, codes and causes, never payloads; sampled successes, every failure")
    func logging() async throws {
        let capture = LogCapture()
        let logger = Logger(label: "test", level: .debug, sink: capture.sink)
        let bed = Bed(interceptors: [CallLogging(logger, refusal: .debug, oneIn: 3)]) { call in
            let message = try await call.receiveOnly()
            switch message {
            case [0]: throw RPCError(.notFound, "no zero")
            case [1]: throw RPCError(.internalError, "broken", cause: "disk full")
            default: try call.sendOnly(Array("secret".utf8))
            }
        }
        for _ in 0..<7 { _ = try await bed.unary([9, 9, 9, 9]) }
        _ = try await eventually { capture.lines.count >= 3 }
        #expect(capture.lines.count == 3)
        let line = try #require(capture.lines.first)
        for part in [
            #""message":"served a call","method":"/test.T/Unary","peer":"in-process","code":"OK""#,
            #""sent":1,"sent_bytes":6,"received":1,"received_bytes":4"#, #""level":"info""#,
        ] { #expect(line.contains(part)) }
        #expect(!capture.contains("secret"))
        capture.removeAll()
        _ = try? await bed.unary([0])
        _ = try? await bed.unary([1])
        _ = try await eventually { capture.lines.count >= 2 }
        #expect(capture.lines.count == 2)
        #expect(capture.lines[0].contains(#""code":"NOT_FOUND""#))
        #expect(capture.lines[0].contains(#""level":"debug""#))
        #expect(capture.lines[1].contains(#""cause":"disk full""#))
        #expect(capture.lines[1].contains(#""level":"warning""#))
    }

    @Test("metrics: A66's names, labels and buckets, on both sides")
    func metrics() async throws {
        let metrics = Metrics()
        let bed = Bed(interceptors: [CallMetrics(metrics)]) { call in
            let message = try await call.receiveOnly()
            if message.isEmpty { throw RPCError(.aborted, "empty") }
            try call.sendOnly(message + message)
        }
        let channel = InterceptedChannel(
            bed.channel, interceptors: [CallMetrics(metrics, target: "in-process")])
        _ = try await channel.unary(Methods.unary, [UInt8](repeating: 7, count: 1500))
        _ = try? await channel.unary(Methods.unary, [])
        let server = #"grpc_method="test.T/Unary",grpc_status="OK""#
        let client = #"grpc_method="test.T/Unary",grpc_target="in-process",grpc_status="ABORTED""#
        let lines = [
            #"grpc_server_call_started_total{grpc_method="test.T/Unary"} 2"#,
            "grpc_server_call_duration_seconds_count{\(server)} 1",
            #"grpc_server_call_duration_seconds_bucket{\#(server),le="0.065"}"#,
            "grpc_server_call_rcvd_total_compressed_message_size_bytes_sum{\(server)} 1500",
            "grpc_server_call_sent_total_compressed_message_size_bytes_sum{\(server)} 3000",
            #"_sent_total_compressed_message_size_bytes_bucket{\#(server),le="2048"} 0"#,
            #"_sent_total_compressed_message_size_bytes_bucket{\#(server),le="4096"} 1"#,
            "grpc_client_call_duration_seconds_count{\(client)} 1",
            "grpc_client_attempt_duration_seconds_count{\(client)} 1",
            "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum{\(client)} 0",
            #"grpc_client_attempt_started_total{grpc_method="test.T/Unary",grpc_target="in-process"} 2"#,
        ]
        // A call is counted when it has ended on both sides, which is after the answer.
        _ = try await eventually { lines.allSatisfy(metrics.render().contains) }
        let text = metrics.render()
        for line in lines { #expect(text.contains(line), "\(line)") }
        #expect(CallMetrics.latencyBounds.count == 41 && CallMetrics.sizeBounds.count == 14)
    }

    @Test(
        "traceparent: what is valid comes out again, what is not is refused",
        arguments: [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-may-come", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", false), ("", false),
            ("00-0af7651916cd43dd8448eb211c80319cxb7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false),
        ])
    func traceparent(_ text: String, _ isValid: Bool) {
        let trace = TraceContext(text)
        #expect((trace != nil) == isValid)
        guard let trace else { return }
        #expect(trace.traceparent.dropFirst(2) == text.dropFirst(2).prefix(53))
        #expect(trace.isSampled)
    }

    @Test("a trace flows from a client through a handler to its child call, and into log lines")
    func tracing() async throws {
        let capture = LogCapture()
        let logger = Logger(label: "test", sink: capture.sink)
        let inner = Bed(interceptors: [Tracing(random: Self.counting(from: 0x30))]) { call in
            let trace = try #require(call.context.trace)
            #expect(call.context.metadata.first("tracestate") == "a=1,b=2")
            #expect(trace.state == "a=1,b=2")
            try call.sendOnly(Array("\(trace.traceparent)".utf8))
        }
        let tracing = Tracing(random: Self.counting(from: 0x10))
        let child = InterceptedChannel(inner.channel, interceptors: [tracing])
        let outer = Bed(interceptors: [tracing, CallLogging(logger)]) { call in
            try call.sendOnly(try await child.unary(Methods.unary, [1]))
        }
        var metadata = Metadata([
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": "a=1", "x-request-id": "r-1",
        ])
        metadata.add("b=2", for: "tracestate")
        let answer = String(decoding: try await outer.unary(metadata: metadata), as: UTF8.self)
        #expect(answer == "00-0af7651916cd43dd8448eb211c80319c-0000000000000030-01")
        _ = try await eventually { !capture.lines.isEmpty }
        #expect(
            capture.contains(
                #""request_id":"r-1","trace_id":"0af7651916cd43dd8448eb211c80319c","#
                    + #""span_id":"0000000000000010""#))
        // Nothing came with the call: a trace begins here.
        let fresh = Bed(interceptors: [Tracing(isSampled: false, random: Self.counting())]) {
            try $0.sendOnly(Array(($0.context.trace?.traceparent ?? "").utf8))
        }
        let begun = String(decoding: try await fresh.unary(), as: UTF8.self)
        #expect(begun == "00-00000000000000010000000000000002-0000000000000003-00")
    }

    @Test("service tokens: the right one names its caller, all others are UNAUTHENTICATED")
    func tokens() async throws {
        let authentication = BearerAuthentication(tokens: ["billing": "s3cret", "web": "other"])
        let bed = Bed(interceptors: [authentication]) { call in
            try call.sendOnly(Array((call.context.caller ?? "?").utf8))
        }
        func caller(_ token: String) async throws -> String {
            let channel = InterceptedChannel(
                bed.channel, interceptors: [BearerCredentials(token: token)])
            return String(decoding: try await channel.unary(Methods.unary, [1]), as: UTF8.self)
        }
        #expect(try await caller("s3cret") == "billing")
        #expect(try await caller("other") == "web")
        for wrong in ["", "s3cre", "s3crets", "S3cret"] {
            #expect(await failure { _ = try await caller(wrong) }?.code == .unauthenticated)
        }
        for header in ["Basic s3cret", "s3cret", "Bearer"] {
            let metadata = Metadata(["authorization": header])
            #expect(
                await failure { _ = try await bed.unary(metadata: metadata) }?.code
                    == .unauthenticated)
        }
        #expect(await failure { _ = try await bed.unary() }?.code == .unauthenticated)
        #expect(
            try await bed.unary(metadata: Metadata(["authorization": "bearer s3cret"]))
                == Array("billing".utf8))
    }

    @Test("validation: every broken rule in BadRequest, and the handler never runs")
    func validation() async throws {
        let router = Router(interceptors: [Validation()])
        let health = HealthService()
        router.register(health)
        let client = HealthV1.HealthClient(
            InProcessChannel(router: router, loop: EventLoop(name: "test")))
        var request = HealthV1.HealthCheckRequest()
        request.service = "two words"
        let error = await failure { _ = try await client.check(request) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.badRequest?.fieldViolations.map(\.field) == ["service", "service"])
        request.service = ""
        #expect(try await client.check(request).status == .serving)
        // No rules of its own.
        #expect(try await client.list(HealthV1.HealthListRequest()).statuses.count == 1)
    }
}

extension HealthV1.HealthCheckRequest: Validated {
    public func validate(_ problems: inout GoogleRpc.BadRequest) {
        if service.contains(" ") {
            problems.add("service", "holds a space")
            problems.add("service", "is no name")
        }
    }
}
