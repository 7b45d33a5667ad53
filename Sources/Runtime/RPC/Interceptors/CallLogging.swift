import Environment
import Synchronization
public import Telemetry

/// One line for each call that ends, on the server and on the client: method, peer, code, time
/// and sizes; the trace and the request's id when there are any. Never a payload, never metadata.
///
/// A failure that is the own side's fault is a warning and carries the cause, which the other
/// side never sees.
public final class CallLogging: ServerInterceptor, ClientInterceptor {
    private let logger: Logger
    private let success: Logger.Level
    private let refusal: Logger.Level
    private let interval: UInt64
    private let target: String
    private let count = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - success: the level of calls that end with OK.
    ///   - refusal: the level of calls that fail through their caller or their peer.
    ///   - oneIn: of so many calls that end with OK, one is logged; failures always are.
    ///   - target: what a client's lines call the server.
    public init(
        _ logger: Logger, success: Logger.Level = .info, refusal: Logger.Level = .info,
        oneIn interval: Int = 1, target: String = ""
    ) {
        self.logger = logger
        self.success = success
        self.refusal = refusal
        self.interval = UInt64(max(1, interval))
        self.target = target
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let began = Deadline.now()
        let context = call.context
        call.onEnd { [self] outcome in
            write("served", context.method, context.peer.address, began, outcome) { fields in
                fields = fields.merging(context.logFields)
            }
        }
        try await next(call)
    }

    public func intercept(_ request: inout ClientRequest) async throws {
        let began = Deadline.now()
        let method = request.method
        let trace = request.metadata.first("traceparent").flatMap { TraceContext($0) }
        request.onEnd { [self] outcome in
            write("called", method, target, began, outcome) { fields in
                if let trace { fields = fields.merging(trace.logFields) }
            }
        }
    }

    private func write(
        _ what: String, _ method: MethodDescriptor, _ peer: String, _ began: Deadline,
        _ outcome: CallOutcome, _ add: (inout LogFields) -> Void
    ) {
        let level = level(of: outcome)
        guard level >= logger.level else { return }
        if outcome.error == nil, interval > 1 {
            let number = count.wrappingAdd(1, ordering: .relaxed).oldValue
            guard number % interval == 0 else { return }
        }
        var fields: LogFields = [
            "method": .string(method.path), "peer": .string(peer),
            "code": .string(outcome.code.name),
            "ms": .double(Double(began.duration(to: .now()).nanoseconds / 1000) / 1000),
            "sent": .int(Int64(outcome.sent.messages)),
            "sent_bytes": .int(Int64(outcome.sent.bytes)),
            "received": .int(Int64(outcome.received.messages)),
            "received_bytes": .int(Int64(outcome.received.bytes)),
        ]
        if let error = outcome.error {
            fields["error"] = .string(error.message)
            if let cause = error.cause { fields["cause"] = .string(cause) }
        }
        add(&fields)
        logger.log(level, outcome.error == nil ? "\(what) a call" : "a call failed", fields)
    }

    private func level(of outcome: CallOutcome) -> Logger.Level {
        guard let error = outcome.error else { return success }
        return error.blame == .us && error.code != .cancelled ? .warning : refusal
    }
}

extension ServerContext {
    /// What every line about the call should carry: the request's id, and the trace if there is
    /// one. `logger.with(context.logFields)`.
    public var logFields: LogFields {
        let fields: LogFields = ["request_id": .string(requestID)]
        return trace.map { fields.merging($0.logFields) } ?? fields
    }
}
