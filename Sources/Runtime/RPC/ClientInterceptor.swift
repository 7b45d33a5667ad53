public import Loop

/// What an interceptor may change before a call starts.
public struct ClientRequest: Sendable {
    public let method: MethodDescriptor
    public var metadata: Metadata
    public var options: CallOptions

    public init(method: MethodDescriptor, metadata: Metadata, options: CallOptions) {
        self.method = method
        self.metadata = metadata
        self.options = options
    }
}

/// Sees every call of an `InterceptedChannel` begin and end.
public protocol ClientInterceptor: Sendable {
    /// May change metadata and options, or refuse the call by throwing.
    func willStart(_ request: inout ClientRequest) async throws
    /// The call has ended: nil is OK. On the channel's loop.
    func didEnd(_ request: ClientRequest, error: RPCError?)
}

extension ClientInterceptor {
    public func didEnd(_ request: ClientRequest, error: RPCError?) {}
}

/// A channel with interceptors in front of it; the first is the outermost.
public final class InterceptedChannel: Channel {
    private let base: any Channel
    private let interceptors: [any ClientInterceptor]

    public init(_ base: any Channel, interceptors: [any ClientInterceptor]) {
        self.base = base
        self.interceptors = interceptors
    }

    public var loop: EventLoop { base.loop }

    public func start(
        _ method: MethodDescriptor, metadata: Metadata, options: CallOptions
    ) async throws -> ClientCall {
        var request = ClientRequest(method: method, metadata: metadata, options: options)
        for interceptor in interceptors {
            try await interceptor.willStart(&request)
        }
        let call = try await base.start(
            method, metadata: request.metadata, options: request.options)
        let (began, observers) = (request, interceptors)
        call.observeEnd { error in
            for interceptor in observers.reversed() { interceptor.didEnd(began, error: error) }
        }
        return call
    }
}
