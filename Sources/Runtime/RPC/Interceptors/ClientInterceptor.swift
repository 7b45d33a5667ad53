/// A call that is about to start: what an interceptor may change of it, and watch.
public struct ClientRequest: Sendable {
    public let method: MethodDescriptor
    public var metadata: Metadata
    public var options: CallOptions

    public init(method: MethodDescriptor, metadata: Metadata, options: CallOptions) {
        self.method = method
        self.metadata = metadata
        self.options = options
    }

    /// Each request, encoded and not yet compressed, before it leaves. The hook may change it;
    /// what it throws comes out of `send`. On the channel's loop, like every hook.
    public mutating func onRequest(_ hook: @escaping @Sendable (inout [UInt8]) throws -> Void) {
        watched.add(request: hook)
    }

    /// Each response when the caller takes it. What the hook throws comes out of `receive`.
    public mutating func onResponse(_ hook: @escaping @Sendable (inout [UInt8]) throws -> Void) {
        watched.add(response: hook)
    }

    /// The response headers; not called when the call fails before them.
    public mutating func onHeaders(_ hook: @escaping @Sendable (Metadata) -> Void) {
        watched.add(headers: hook)
    }

    /// Once, when the call has ended.
    public mutating func onEnd(_ hook: @escaping @Sendable (CallOutcome) -> Void) {
        watched.add(end: hook)
    }

    /// Each attempt when it begins and when it ends. Calls that fail before they are sent have
    /// none.
    public mutating func onAttempt(_ hook: @escaping @Sendable (CallAttempt) -> Void) {
        watched.add(attempt: hook)
    }

    private var watched: CallHooks {
        mutating get {
            if let hooks = options.hooks { return hooks }
            let hooks = CallHooks()
            options.hooks = hooks
            return hooks
        }
    }
}

/// Runs before the calls of an `InterceptedChannel`, in the caller's task.
public protocol ClientInterceptor: Interceptor {
    /// May change metadata and options, ask for messages, headers and the end (`request.onEnd`),
    /// or refuse the call by throwing.
    func intercept(_ request: inout ClientRequest) async throws
}
