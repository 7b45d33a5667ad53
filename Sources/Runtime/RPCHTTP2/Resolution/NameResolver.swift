public import Loop
public import RPC

/// What a resolver knows about a target: it replaces what it said before.
public struct NameResolution: Sendable {
    /// Every address that may be used, best first; or why there is none. After an error a channel
    /// goes on with the addresses that it has.
    public var addresses: Result<[SocketAddress], RPCError>
    /// Used when the channel's configuration has no service config of its own.
    public var serviceConfig: ServiceConfig?

    public init(
        addresses: Result<[SocketAddress], RPCError>, serviceConfig: ServiceConfig? = nil
    ) {
        self.addresses = addresses
        self.serviceConfig = serviceConfig
    }
}

/// Turns a target into addresses, and says so again when they change. One object serves one
/// channel.
public protocol NameResolver: Sendable {
    /// Whether a `ServiceConfig` may come with the addresses: calls then wait for the first result
    /// to learn their method's policy.
    var mayConfigure: Bool { get }

    /// Begins, or begins again after `stop`. On the channel's loop.
    /// - Parameter report: callable from any thread, until `stop`; later calls are ignored.
    func start(on loop: EventLoop, _ report: @escaping @Sendable (NameResolution) -> Void)

    /// A connection failed or was lost: the addresses may be out of date. On the channel's loop,
    /// as often as that happens: limiting the rate is the resolver's business.
    func refresh()

    /// The channel is idle or closed. On the channel's loop.
    func stop()
}

extension NameResolver {
    public var mayConfigure: Bool { false }
    public func refresh() {}
    public func stop() {}
}
