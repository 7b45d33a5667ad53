import HTTP2
import Loop
import RPC

/// The state of a channel, confined to its loop: who waits for a connection and where calls go.
/// `HTTP2Channel` is its front for other threads; `ChannelCore+Connectivity` is its other half.
final class ChannelCore: @unchecked Sendable {
    let loop: EventLoop
    let configuration: ChannelConfiguration
    let authority: String
    /// What the owner called the server.
    let target: String
    let board = StateBoard()
    let dialer: Dialer
    let resolver: any NameResolver
    /// Where every call goes while nothing is in its way: a policy that has one connection sets it.
    @exclusivity(unchecked) var direct: ClientConnection?
    @exclusivity(unchecked) private var pending = CallQueue<ClientStream>()
    @exclusivity(unchecked) private var fields: RequestFields
    /// Calls that were sent, ever.
    @exclusivity(unchecked) private(set) var sentCalls = 0
    /// Of the channel's users: each once, however often it was sent.
    @exclusivity(unchecked) var calls = CallCounts()
    /// Nil: no registry lists the channel.
    let channelz: ChannelzNode?
    /// Set while the streams of a lost connection are closed: why, and the last one whose headers
    /// may have reached the server.
    var losing: RPCError?
    var lastSent: Int32 = 0

    // Of `ChannelCore+Policies`.
    /// Whether a call must be asked for its policy; false is the way of most calls.
    @exclusivity(unchecked) var hasPolicies: Bool
    var serviceConfig: ServiceConfig?
    var policies: MethodPolicies?
    var throttle: RetryThrottle?
    /// Kept for retries, by all calls.
    @exclusivity(unchecked) var replayBytes = 0
    /// What one call without a policy keeps besides.
    let uncountedReplayBytes: Int
    /// Calls that began before the resolver told the service config; nil: it is known.
    var undecided: CallQueue<CallAttempts>?

    // Of `ChannelCore+Connectivity`.
    var balancer: Balancer?
    var policy: LoadBalancing?
    /// Why there is no balancer.
    var resolutionError: RPCError?
    var resolverRuns = false
    var isClosed = false
    var connections: [ClientConnection] = []
    var keepaliveTime: Duration?
    var idleTicks: LoopTimer?
    var quietTicks = 0
    var sentCallsBefore = 0

    init(
        resolver: any NameResolver, authority: String, target: String, loop: EventLoop,
        configuration: ChannelConfiguration
    ) {
        self.resolver = resolver
        self.loop = loop
        self.configuration = configuration
        self.authority = authority
        self.target = target
        channelz = configuration.channelz.map { ChannelzNode($0) }
        dialer = Dialer(loop: loop, tls: configuration.tls, authority: authority)
        fields = RequestFields(
            authority: authority, userAgent: configuration.userAgent,
            scheme: configuration.tls == nil ? "http" : "https",
            compression: configuration.compression)
        uncountedReplayBytes = min(configuration.maxReplayBytesPerCall, 64 << 10)
        let mayConfigure = configuration.serviceConfig == nil && resolver.mayConfigure
        undecided = mayConfigure ? CallQueue() : nil
        hasPolicies = configuration.serviceConfig != nil || mayConfigure
        serviceConfig = configuration.serviceConfig
        policies = serviceConfig.map { MethodPolicies($0) }
        throttle = serviceConfig?.retryThrottling.map { RetryThrottle($0) }
        keepaliveTime = configuration.keepaliveTime.map { max($0, configuration.keepaliveFloor) }
    }

    // MARK: Calls

    @inline(__always)
    func countCall() {
        calls.started &+= 1
        calls.lastStarted = loop.milliseconds
    }

    @inline(__always)
    func count(_ error: RPCError?) {
        if error == nil { calls.succeeded &+= 1 } else { calls.failed &+= 1 }
    }

    /// Attaches what carries the call; false when it is over already.
    @inline(__always)
    func begin(_ call: ClientCall, _ transport: any ClientCallTransport) -> Bool {
        if call.begin(transport) { return true }
        calls.failed &+= 1
        return false
    }

    /// Sends the call, or keeps it until it can be sent.
    func open(_ stream: ClientStream) {
        stream.record?.begin()
        if let direct, direct.hasRoom, pending.isEmpty {
            send(stream, on: direct)
        } else {
            openIndirectly(stream)
        }
    }

    private func openIndirectly(_ stream: ClientStream) {
        guard !isClosed else { return stream.fail(ChannelCore.closed) }
        wakeUp()
        switch pick() {
        case .connection(let connection) where !hasPending: send(stream, on: connection)
        case .connection, .wait:
            wait(stream)
            pump()
        case .fail(let error):
            if stream.waitForReady { wait(stream) } else { stream.fail(error) }
        }
    }

    private func pick() -> Pick {
        if let balancer { return balancer.pick() }
        return resolutionError.map { .fail($0) } ?? .wait
    }

    private func wait(_ stream: ClientStream) {
        guard pending.count < configuration.maxPendingCalls else {
            return stream.fail(tooManyWait)
        }
        pending.append(stream)
    }

    var tooManyWait: RPCError {
        RPCError(
            .resourceExhausted,
            "\(configuration.maxPendingCalls) calls wait for the server already",
            blame: .caller, cause: "for \(authority)")
    }

    private func send(_ stream: ClientStream, on connection: ClientConnection) {
        sentCalls &+= 1
        if let tally = connection.tally { stream.tally = tally }
        let fields = fields.make(stream)
        if let limit = connection.limit(exceededBy: fields) {
            return stream.fail(
                RPCError(
                    .resourceExhausted,
                    "the request headers are \(fields.listBytes) bytes, \(limit) can be sent",
                    blame: .caller))
        }
        do {
            try connection.open(stream, fields)
        } catch {
            stream.fail(
                RPCError(.unavailable, "cannot open a stream", cause: "\(error), for \(authority)"))
        }
    }

    var hasPending: Bool { !pending.isEmpty }

    /// For a connection, or for their policy.
    var waitingCalls: Int { pending.count + (undecided?.count ?? 0) }

    /// Sends what waits while there is room.
    func pump() {
        while hasPending {
            switch pick() {
            case .connection(let connection):
                guard let stream = popPending() else { return }
                send(stream, on: connection)
            case .wait: return
            case .fail(let error): return failImpatient(error)
            }
        }
    }

    /// Ends the waiting calls that do not wait for ready.
    func failImpatient(_ error: RPCError) {
        var streams: [ClientStream] = []
        while let stream = popPending() { streams.append(stream) }
        for stream in streams where stream.waitForReady { pending.append(stream) }
        for stream in streams where !stream.waitForReady { stream.fail(error) }
    }

    func popPending() -> ClientStream? { pending.popFirst() }

    /// The call ended before it was sent.
    func forget(_ stream: ClientStream) {
        pending.remove(stream)
    }
}
