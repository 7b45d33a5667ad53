import Loop
import RPC

/// Methods on plain bytes, so that the semantics are tested without a codec.
enum Methods {
    static let unary = MethodDescriptor(service: "test.T", name: "Unary", kind: .unary)
    static let client = MethodDescriptor(service: "test.T", name: "Client", kind: .clientStreaming)
    static let server = MethodDescriptor(service: "test.T", name: "Server", kind: .serverStreaming)
    static let bidi = MethodDescriptor(service: "test.T", name: "Bidi", kind: .bidirectional)
}

/// A loop with a router behind an in-process channel.
struct Bed {
    let loop = EventLoop(name: "test")
    let channel: InProcessChannel

    init(
        _ method: MethodDescriptor = Methods.unary, interceptors: [any ServerInterceptor] = [],
        maxMessageBytes: Int = 4 << 20,
        _ body: @escaping @Sendable (ServerCall) async throws -> Void
    ) {
        let router = Router(interceptors: interceptors)
        router.handle(method, body)
        channel = InProcessChannel(router: router, loop: loop, maxMessageBytes: maxMessageBytes)
    }

    func call(
        _ method: MethodDescriptor, metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> ClientCall {
        try await channel.start(method, metadata: metadata, options: options)
    }

    func unary(
        _ message: [UInt8] = [1], metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> [UInt8] {
        try await channel.unary(Methods.unary, message, metadata: metadata, options: options)
    }
}

/// The error that `body` throws.
func failure(_ body: () async throws -> Void) async -> RPCError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}
