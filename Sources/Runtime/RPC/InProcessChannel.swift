public import Loop

/// Calls a router of the same process: no sockets, but the same interceptors, deadlines,
/// cancellation, cardinality and size limits as over HTTP/2.
public final class InProcessChannel: Channel {
    public let loop: EventLoop
    private let router: Router
    private let maxMessageBytes: Int

    /// - Parameters:
    ///   - loop: where the handlers run.
    ///   - maxMessageBytes: of a request, and of a response unless the call says otherwise.
    public init(router: Router, loop: EventLoop, maxMessageBytes: Int = 4 << 20) {
        self.router = router
        self.loop = loop
        self.maxMessageBytes = maxMessageBytes
    }

    /// A channel to services of their own, for tests of them and of their callers.
    public convenience init(
        _ services: any RPCService..., interceptors: [any ServerInterceptor] = [], loop: EventLoop
    ) {
        let router = Router(interceptors: interceptors)
        for service in services { router.register(service) }
        self.init(router: router, loop: loop)
    }

    public func start(
        _ method: MethodDescriptor, metadata: Metadata, options: CallOptions
    ) async throws -> ClientCall {
        try Task.checkCancellation()
        let call = ClientCall(method: method, loop: loop, options: options)
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
        let call = ClientCall(method: method, loop: loop, options: options)
        return try await call.unary(message) { self.begin(call, metadata, options) }
    }

    private func begin(_ call: ClientCall, _ metadata: Metadata, _ options: CallOptions) {
        let link = InProcessLink(
            client: call, maxRequestBytes: maxMessageBytes,
            maxResponseBytes: options.maxResponseBytes ?? maxMessageBytes)
        link.open(router.table.find(call.method.path), metadata: metadata)
    }
}
