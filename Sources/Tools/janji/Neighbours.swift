import Domain
import Environment
import RPC
import RPCHTTP2
import Schema
import Synchronization

/// How a process reaches each role: in the same process through memory, otherwise over HTTP/2.
/// The code that calls does not see which.
final class Neighbours: Sendable {
    private let host: Host
    private let local: [Role: InProcessChannel]
    private let remote: [Role: HTTP2Channel]
    private let clientMetrics: [Role: CallMetrics]
    private let credentials = Mutex<[Caller: InterceptedChannel]>([:])

    private struct Caller: Hashable {
        let from: Role
        let to: Role
        let principal: Principal
    }

    /// Callers whose channels are kept; a channel is only a token's holder.
    static let cacheLimit = 1024

    /// - Parameter roles: the roles of this process; they are served by `router`.
    init(_ host: Host, roles: [Role], router: Router) throws {
        self.host = host
        var local: [Role: InProcessChannel] = [:]
        var remote: [Role: HTTP2Channel] = [:]
        var channels = host.encryption.channel
        // Calls fail fast during a back-off: a neighbour that was restarted is found soon.
        channels.maxBackoff = .seconds(5)
        channels.channelz = host.channelz
        channels.maxMessageBytes = Host.maxMessageBytes
        for role in Role.allCases where role != .gateway {
            if roles.contains(role) {
                local[role] = InProcessChannel(
                    router: router, loop: host.loop, maxMessageBytes: Host.maxMessageBytes)
            } else {
                let address = try host.configuration.address(of: role)
                remote[role] = try HTTP2Channel(
                    target: address, loop: host.loop, configuration: channels)
            }
        }
        clientMetrics = Dictionary(
            uniqueKeysWithValues: Role.allCases.map {
                ($0, CallMetrics(host.metrics, target: "\($0)"))
            })
        self.local = local
        self.remote = remote
    }

    /// A channel from one role to another, whose calls carry a service token for `principal`.
    func channel(from: Role, to: Role, as principal: Principal) -> any Channel {
        let caller = Caller(from: from, to: to, principal: principal)
        if let known = credentials.withLock({ $0[caller] }) { return known }
        let base = base(to)
        let channel = InterceptedChannel(
            base,
            interceptors: [
                ServiceCredentials(tokens: host.tokens(issuer: from), principal: principal),
                Tracing(), clientMetrics[to] ?? CallMetrics(host.metrics),
            ])
        credentials.withLock { cache in
            if cache.count >= Self.cacheLimit { cache.removeAll() }
            cache[caller] = channel
        }
        return channel
    }

    private func base(_ role: Role) -> any Channel {
        if let channel = local[role] { return channel }
        if let channel = remote[role] { return channel }
        return Unreachable(loop: host.loop, role: role)
    }

    /// The role that serves a gRPC service, by the context in its package.
    static func role(of service: String) -> Role? {
        let context = ServiceTokens.audience(of: service)
        return Role.allCases.first { $0.contexts.contains(context) }
    }

    func close() {
        for channel in remote.values { channel.close() }
    }
}
