public import Loop

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
        let request = try await intercepted(method, metadata, options)
        do {
            return try await base.start(
                method, metadata: request.metadata, options: request.options)
        } catch {
            try refused(request, error)
        }
    }

    public func unary(
        _ method: MethodDescriptor, _ message: [UInt8], metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> [UInt8] {
        let request = try await intercepted(method, metadata, options)
        do {
            return try await base.unary(
                method, message, metadata: request.metadata, options: request.options)
        } catch {
            try refused(request, error)
        }
    }

    private func intercepted(
        _ method: MethodDescriptor, _ metadata: Metadata, _ options: CallOptions
    ) async throws -> ClientRequest {
        var request = ClientRequest(method: method, metadata: metadata, options: options)
        // Hooks of an outer channel's interceptors come first and are not shared between calls.
        for interceptor in interceptors where interceptor.applies(to: method) {
            do {
                try await interceptor.intercept(&request)
            } catch {
                try refused(request, error)
            }
        }
        return request
    }

    /// A call that never began has ended as well; one that did has told its hooks already.
    private func refused(_ request: ClientRequest, _ error: any Error) throws -> Never {
        if let hooks = request.options.hooks {
            let outcome = CallOutcome(error: RPCError(wrapping: error))
            if loop.isInLoop {
                hooks.ended(outcome)
            } else {
                loop.execute { hooks.ended(outcome) }
            }
        }
        throw error
    }
}
