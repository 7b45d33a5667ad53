/// What client and server interceptors have in common: the methods that they are for.
public protocol Interceptor: Sendable {
    /// Whether calls of the method pass through here. A server asks once, when the method is
    /// registered: one that no interceptor wants is served as if there were none.
    func applies(to method: MethodDescriptor) -> Bool
}

extension Interceptor {
    public func applies(to method: MethodDescriptor) -> Bool { true }

    /// The same interceptor for some methods only.
    public func on(_ methods: MethodFilter...) -> SelectiveInterceptor<Self> {
        SelectiveInterceptor(base: self, filters: methods)
    }
}

/// An interceptor for the methods that one of some filters names.
public struct SelectiveInterceptor<Base: Interceptor>: Interceptor {
    let base: Base
    let filters: [MethodFilter]

    public func applies(to method: MethodDescriptor) -> Bool {
        filters.contains { $0.matches(method) } && base.applies(to: method)
    }
}

extension SelectiveInterceptor: ServerInterceptor where Base: ServerInterceptor {
    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        try await base.intercept(call, next)
    }
}

extension SelectiveInterceptor: ClientInterceptor where Base: ClientInterceptor {
    public func intercept(_ request: inout ClientRequest) async throws {
        try await base.intercept(&request)
    }
}
