public import Protobuf
import Synchronization
public import Telemetry

/// The methods of a server. Filled with `handle` before serving; the first look-up freezes it.
public final class Router: Sendable {
    private struct State {
        var methods: [RegisteredMethod] = []
        var files: [GeneratedFile] = []
        var fallback: RegisteredMethod.Handler?
        var table: MethodTable?
    }

    private let interceptors: [any ServerInterceptor]
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter interceptors: the first is the outermost.
    public init(
        interceptors: [any ServerInterceptor] = [], logger: Logger = Logger(label: "rpc")
    ) {
        self.interceptors = interceptors
        self.logger = logger
    }

    /// Adds a method. Stops the program when it is there already or the router is serving.
    public func handle(
        _ method: MethodDescriptor, _ body: @escaping @Sendable (ServerCall) async throws -> Void
    ) {
        let wanted = interceptors.filter { $0.applies(to: method) }
        let registered = RegisteredMethod(
            method, logger: logger, body: Router.compose(wanted[...], body))
        state.withLock { state in
            precondition(state.table == nil, "\(method) was added after the router began to serve")
            precondition(
                !state.methods.contains { $0.descriptor.path == method.path },
                "\(method) was added twice")
            state.methods.append(registered)
        }
    }

    /// Says what the messages of a file's services look like, so that they can be called with
    /// JSON too. Generated services do it when they are registered.
    public func describe(_ file: GeneratedFile) {
        state.withLock { state in
            if !state.files.contains(where: { $0 === file }) { state.files.append(file) }
        }
    }

    /// Takes the calls of methods that nobody added, as a proxy does; without it they end with
    /// UNIMPLEMENTED. The handler sees encoded messages; `call.context.method` is what the client
    /// named, as a bidirectional method. Costs known methods nothing.
    public func handleUnknown(_ body: @escaping @Sendable (ServerCall) async throws -> Void) {
        let composed = Router.compose(interceptors[...], body)
        state.withLock { state in
            precondition(state.table == nil, "a fallback was added after the router began to serve")
            precondition(state.fallback == nil, "a fallback was added twice")
            state.fallback = composed
        }
    }

    /// Adds a generated service.
    public func register(_ service: some RPCService) {
        service.register(in: self)
    }

    private static func compose(
        _ interceptors: ArraySlice<any ServerInterceptor>,
        _ body: @escaping RegisteredMethod.Handler
    ) -> RegisteredMethod.Handler {
        guard let first = interceptors.first else { return body }
        let next = compose(interceptors.dropFirst(), body)
        return { call in try await first.intercept(call, next) }
    }

    /// Names of the services that have methods, sorted.
    public var services: [String] {
        state.withLock { Set($0.methods.map(\.descriptor.service)).sorted() }
    }

    public var methods: [MethodDescriptor] {
        state.withLock { $0.methods.map(\.descriptor) }
    }

    /// The table for look-ups; freezes the router.
    package var table: MethodTable {
        state.withLock { state in
            if let table = state.table { return table }
            let table = MethodTable(
                state.methods, MethodSchemas(state.files), fallback: state.fallback, logger: logger)
            state.table = table
            return table
        }
    }
}
