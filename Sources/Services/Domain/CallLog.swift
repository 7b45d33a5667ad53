import Environment
public import RPC
import Synchronization
public import Telemetry

/// Writes down calls that failed through no fault of their caller, with the cause that the caller
/// is not told, and counts and times every call (D-24, D-25).
public final class CallLog: ServerInterceptor {
    private struct Series {
        let seconds: Histogram
        let failures: Counter
    }

    private let logger: Logger
    private let metrics: Metrics
    private let series = Mutex<[String: Series]>([:])

    public init(logger: Logger, metrics: Metrics) {
        self.logger = logger
        self.metrics = metrics
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let started = Deadline.now()
        let method = call.context.method
        let series = series(for: method)
        do {
            try await next(call)
            series.seconds.observe(started.duration(to: .now()))
        } catch {
            series.seconds.observe(started.duration(to: .now()))
            series.failures.add()
            note(RPCError(wrapping: error), call.context)
            throw error
        }
    }

    private func series(for method: MethodDescriptor) -> Series {
        series.withLock { all in
            if let known = all[method.path] { return known }
            let labels = [("grpc_service", method.service), ("grpc_method", method.name)]
            let new = Series(
                seconds: metrics.histogram(
                    "grpc_server_handling_seconds", help: "Time in the handler.", labels: labels),
                failures: metrics.counter(
                    "grpc_server_failed_total", help: "Calls that ended with an error.",
                    labels: labels))
            all[method.path] = new
            return new
        }
    }

    private func note(_ error: RPCError, _ context: ServerContext) {
        let fields: LogFields = [
            "method": .string(context.method.path), "code": .string(error.code.name),
            "message_": .string(error.message), "cause": .string(error.cause ?? ""),
            "request_id": .string(context.requestID),
        ]
        if error.blame == .us, error.code != .cancelled {
            logger.warning("a call failed", fields)
        } else {
            logger.debug("a call was refused", fields)
        }
    }
}
