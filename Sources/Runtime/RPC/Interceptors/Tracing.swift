/// Carries W3C trace context through a process: a server takes it from the call's metadata, or
/// begins a trace; a client gives it to the calls that a handler makes. `context.trace` is the
/// place of the call itself, for log lines and for whatever else the handler calls.
public struct Tracing: ServerInterceptor, ClientInterceptor {
    private let random: @Sendable () -> UInt64
    private let isSampled: Bool

    /// - Parameters:
    ///   - isSampled: what a trace that begins here says.
    ///   - random: gives new ids.
    public init(
        isSampled: Bool = true,
        random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    ) {
        self.isSampled = isSampled
        self.random = random
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let metadata = call.context.metadata
        let parents = metadata.all("traceparent")
        // Two of them contradict each other: as good as none.
        let parent =
            parents.count == 1
            ? TraceContext(
                parents[0], state: metadata.all("tracestate").joined(separator: ",")) : nil
        call.context[TraceKey.self] =
            parent?.child(random: random) ?? TraceContext(isSampled: isSampled, random: random)
        try await next(call)
    }

    public func intercept(_ request: inout ClientRequest) async throws {
        guard request.metadata.first("traceparent") == nil else { return }
        let trace =
            ServerContext.current?.trace?.child(random: random)
            ?? TraceContext(isSampled: isSampled, random: random)
        request.metadata.set(trace.traceparent, for: "traceparent")
        if !trace.state.isEmpty { request.metadata.set(trace.state, for: "tracestate") }
    }
}

private enum TraceKey: ServerContextKey {
    typealias Value = TraceContext
}

extension ServerContext {
    /// The call's place in its trace; nil without `Tracing`.
    public var trace: TraceContext? { self[TraceKey.self] }
}
