public import Loop
public import RPC

/// gRPC over HTTP/2 to the addresses of a target: resolved, balanced, connected when the first
/// call needs it and connected again, with back-off, when that is lost. A GOAWAY moves new calls
/// to a new connection; calls that the server has not seen move with them.
///
/// Errors name the cause: the resolver, the system's error, the GOAWAY text or the reset code.
public final class HTTP2Channel: Channel {
    public let loop: EventLoop
    let core: ChannelCore

    /// - Parameter target: `host:port`, `[v6]:port`, `dns:host:port`, `ipv4:a:p,b:p`,
    ///   `ipv6:[a]:p,[b]:p`, `unix:path`, `http://host:port` or `https://host:port`. Whether the
    ///   channel speaks TLS says `configuration.tls` alone.
    /// - Throws: `RPCError` INVALID_ARGUMENT when the target is none of these, when it begins with
    ///   `https://` and `configuration.tls` is nil, or with `http://` and it is set.
    public convenience init(
        target: String, loop: EventLoop,
        configuration: ChannelConfiguration = ChannelConfiguration()
    ) throws {
        let name = target
        let target = try ChannelTarget(target, isSecure: configuration.tls != nil)
        self.init(
            resolver: target.resolver(configuration), authority: target.authority, name: name,
            loop: loop, configuration: configuration)
    }

    /// - Parameters:
    ///   - resolver: says the addresses; of this channel only.
    ///   - authority: `:authority` of the calls, unless the configuration has one.
    public convenience init(
        resolver: any NameResolver, authority: String, loop: EventLoop,
        configuration: ChannelConfiguration = ChannelConfiguration()
    ) {
        self.init(
            resolver: resolver, authority: authority, name: authority, loop: loop,
            configuration: configuration)
    }

    private init(
        resolver: any NameResolver, authority: String, name: String, loop: EventLoop,
        configuration: ChannelConfiguration
    ) {
        self.loop = loop
        core = ChannelCore(
            resolver: resolver, authority: configuration.authority ?? authority, target: name,
            loop: loop, configuration: configuration)
        if let node = core.channelz { node.registry.add(core, node.id) }
    }

    deinit {
        if let node = core.channelz { node.registry.removeChannel(node.id) }
        loop.execute { [core] in core.abandon() }
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
        core.countCall()
        if core.hasPolicies { return core.beginByPolicy(call, metadata, options) }
        let stream = ClientStream(call, metadata: metadata, options: options, channel: core)
        if core.begin(call, stream) { core.open(stream) }
    }

    /// The state now and each later one, with the error behind it; ends after `shutdown`. Any
    /// number of observers; one that is slow misses states, but never the newest.
    public var states: AsyncStream<ChannelState> { core.board.observe() }

    /// The state now.
    public var state: ChannelState { core.board.state }

    /// Connects without waiting for a call. Returns at once: see `states`.
    public func connect() {
        loop.execute { [core] in core.wakeUp() }
    }

    /// Says goodbye (GOAWAY) and ends the calls that still run with UNAVAILABLE. Idempotent.
    public func close() {
        loop.execute { [core] in core.close() }
    }
}
