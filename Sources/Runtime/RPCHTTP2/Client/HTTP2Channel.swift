public import Loop
public import RPC

/// gRPC over one HTTP/2 connection, made when the first call needs it and made again, with
/// back-off, when it is lost. A GOAWAY moves new calls to a new connection.
///
/// Errors name the cause: the resolver, the system's error, the GOAWAY text or the reset code.
public final class HTTP2Channel: Channel {
    public let loop: EventLoop
    private let core: ChannelCore

    /// - Parameter target: `host:port`, `[v6]:port` or `unix:path`.
    /// - Throws: `RPCError` INVALID_ARGUMENT when the target is none of these.
    public init(
        target: String, loop: EventLoop,
        configuration: ChannelConfiguration = ChannelConfiguration()
    ) throws {
        self.loop = loop
        core = ChannelCore(
            target: try ChannelTarget(target), loop: loop, configuration: configuration)
    }

    deinit {
        loop.execute { [core] in core.abandon() }
    }

    public func start(
        _ method: MethodDescriptor, metadata: Metadata, options: CallOptions
    ) async throws -> ClientCall {
        try Task.checkCancellation()
        let call = ClientCall(method: method, loop: loop, deadline: options.effectiveDeadline)
        if loop.isInLoop {
            begin(call, metadata, options)
        } else {
            loop.execute { self.begin(call, metadata, options) }
        }
        return call
    }

    public func unary(
        _ method: MethodDescriptor, _ message: [UInt8], metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> [UInt8] {
        let call = ClientCall(method: method, loop: loop, deadline: options.effectiveDeadline)
        return try await call.unary(message) { self.begin(call, metadata, options) }
    }

    private func begin(_ call: ClientCall, _ metadata: Metadata, _ options: CallOptions) {
        let stream = ClientStream(call, metadata: metadata, options: options, channel: core)
        if call.begin(stream) { core.open(stream) }
    }

    /// Says goodbye (GOAWAY) and ends the calls that still run with UNAVAILABLE. Idempotent.
    public func close() {
        loop.execute { [core] in core.close() }
    }
}
