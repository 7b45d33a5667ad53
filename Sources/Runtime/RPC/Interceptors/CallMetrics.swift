import Environment
import Synchronization
public import Telemetry

/// OpenTelemetry's metrics of gRPC (gRFC A66), as Prometheus spells them:
///
/// | A66 | here | labels |
/// |---|---|---|
/// | grpc.server.call.started | grpc_server_call_started_total | grpc_method |
/// | grpc.server.call.duration | grpc_server_call_duration_seconds | + grpc_status |
/// | grpc.server.call.sent_total_compressed_message_size | …_size_bytes | + grpc_status |
/// | grpc.server.call.rcvd_total_compressed_message_size | …_size_bytes | + grpc_status |
/// | grpc.client.call.duration | grpc_client_call_duration_seconds | + grpc_target, grpc_status |
/// | grpc.client.attempt.{started,duration,sent_…,rcvd_…} | grpc_client_attempt_… | the same |
///
/// On a server it sees the calls that reach a handler; `RPCServer` counts the others. Retries,
/// hedges and what a server refused unseen are attempts of their own; a call that fails before it
/// is sent has none.
public final class CallMetrics: ServerInterceptor, ClientInterceptor {
    private struct Key: Hashable {
        let side: Side
        let path: String
        let code: RPCError.Code
    }

    /// What has an outcome of its own.
    private enum Side: Hashable {
        case server, client, attempt

        var prefix: String {
            switch self {
            case .server: "grpc_server_call"
            case .client: "grpc_client_call"
            case .attempt: "grpc_client_attempt"
            }
        }
    }

    /// The histograms of an outcome; a client's calls have no sizes, their attempts do.
    private struct Series {
        let duration: Histogram
        let sent: Histogram?
        let received: Histogram?
    }

    private struct Handles {
        var started: [String: Counter] = [:]
        var series: [Key: Series] = [:]
    }

    /// Seconds (A66, "Latency").
    public static let latencyBounds: [Double] = [
        0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005,
        0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13,
        0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
    ]

    /// Bytes (A66, "Size").
    public static let sizeBounds: [Double] = [
        0, 1024, 2048, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
        268_435_456, 1_073_741_824, 4_294_967_296,
    ]

    private let metrics: Metrics
    private let target: String
    private let handles = Mutex(Handles())

    /// - Parameter target: a client's `grpc_target`, for example `dns:///booking:4710`. Use
    ///   "other" when there would be very many.
    public init(_ metrics: Metrics, target: String = "other") {
        self.metrics = metrics
        self.target = target
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let method = call.context.method
        begin(.server, method)
        let began = Deadline.now()
        call.onEnd { [self] outcome in
            end(
                .server, method, outcome.code, began.duration(to: .now()),
                outcome.sent.compressedBytes, outcome.received.compressedBytes)
        }
        try await next(call)
    }

    public func intercept(_ request: inout ClientRequest) async throws {
        let method = request.method
        let began = Deadline.now()
        request.onAttempt { [self] event in
            switch event {
            case .began: begin(.attempt, method)
            case .ended(let outcome):
                end(
                    .attempt, method, outcome.code, outcome.duration, outcome.sentBytes,
                    outcome.receivedBytes)
            }
        }
        request.onEnd { [self] outcome in
            end(.client, method, outcome.code, began.duration(to: .now()), 0, 0)
        }
    }

    private func begin(_ side: Side, _ method: MethodDescriptor) {
        let key = side == .server ? method.path : " \(method.path)"
        let counter = handles.withLock { handles in
            if let known = handles.started[key] { return known }
            let counter = metrics.counter(
                "\(side.prefix)_started_total",
                help: side == .server
                    ? "Calls started, including those that have not ended."
                    : "Attempts started, including those that have not ended.",
                labels: labels(side, method))
            handles.started[key] = counter
            return counter
        }
        counter.add()
    }

    private func end(
        _ side: Side, _ method: MethodDescriptor, _ code: RPCError.Code, _ duration: Duration,
        _ sentBytes: Int, _ receivedBytes: Int
    ) {
        let key = Key(side: side, path: method.path, code: code)
        let series = handles.withLock { handles in
            if let known = handles.series[key] { return known }
            let series = makeSeries(side, method, code)
            handles.series[key] = series
            return series
        }
        series.duration.observe(duration)
        series.sent?.observe(Double(sentBytes))
        series.received?.observe(Double(receivedBytes))
    }

    private func makeSeries(
        _ side: Side, _ method: MethodDescriptor, _ code: RPCError.Code
    ) -> Series {
        let labels = labels(side, method) + [("grpc_status", code.name)]
        func histogram(_ name: String, _ help: String, _ bounds: [Double]) -> Histogram {
            metrics.histogram(
                "\(side.prefix)_\(name)", help: help, buckets: bounds, labels: labels)
        }
        let duration = histogram(
            "duration_seconds",
            side == .client ? "As the application sees it." : "From the start to the status.",
            Self.latencyBounds)
        guard side != .client else { return Series(duration: duration, sent: nil, received: nil) }
        return Series(
            duration: duration,
            sent: histogram(
                "sent_total_compressed_message_size_bytes", "Bytes of messages sent.",
                Self.sizeBounds),
            received: histogram(
                "rcvd_total_compressed_message_size_bytes", "Bytes of messages received.",
                Self.sizeBounds))
    }

    private func labels(_ side: Side, _ method: MethodDescriptor) -> [(String, String)] {
        let name = [("grpc_method", String(method.path.dropFirst()))]
        return side == .server ? name : name + [("grpc_target", target)]
    }
}
