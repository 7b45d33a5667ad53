import Environment
import Loop
import RPC

/// One address of a channel: its state, its connections, and when to try again. Confined to the
/// channel's loop. It never connects by itself after a failure: its balancer decides.
final class Subchannel: @unchecked Sendable {  // confined to the loop
    let address: SocketAddress
    private(set) var state = ConnectivityState.idle
    /// Why the last attempt failed, or the last connection was lost. What it says of the network is
    /// in `cause`: a handler that lets it through must not tell its caller where our servers are.
    private(set) var lastError: RPCError?
    /// What outlier detection counts; nil: nobody looks.
    let tally: CallTally?

    /// Nil: no registry lists the channel.
    let channelz: ChannelzNode?
    /// The calls of connections that have closed.
    var past = CallCounts()
    let loop: EventLoop

    private unowned let core: ChannelCore
    private weak var balancer: Balancer?
    /// Those with the peer's SETTINGS that take new calls. More than one only when the peer's
    /// stream limit was reached.
    private var connections: [ClientConnection] = []
    private var isDialing = false
    private var dialing: Task<Void, Never>?
    /// Connected, its SETTINGS not here yet.
    private var fresh: ClientConnection?
    private var backoff: Backoff
    /// When the next attempt may begin.
    private var retryAt = Deadline(nanoseconds: 0)
    private var retry: LoopTimer?
    private var housekeeping: LoopTimer?

    init(_ address: SocketAddress, _ core: ChannelCore, _ balancer: Balancer, counts: Bool) {
        self.address = address
        self.core = core
        self.balancer = balancer
        tally = counts ? CallTally() : nil
        backoff = Backoff(core.configuration)
        loop = core.loop
        channelz = core.configuration.channelz.map { ChannelzNode($0) }
        guard let channelz else { return }
        channelz.registry.add(self, channelz.id)
        core.channelz?.log(
            "address \(address) added", child: channelzRef.map { .subchannelRef($0) })
    }

    // MARK: For balancers

    /// Calls that run here.
    var openCalls: Int { connections.reduce(0) { $0 + $1.openCalls } }

    /// With those that take no more calls.
    var openConnections: [ClientConnection] { core.connections.filter { $0.subchannel === self } }

    /// A connection that takes one more call. When all are at the peer's limit, one more is made.
    func connectionWithRoom() -> ClientConnection? {
        for connection in connections where connection.hasRoom { return connection }
        if state == .ready { addConnection() }
        return nil
    }

    /// From IDLE only.
    func connect() {
        guard state == .idle else { return }
        become(.connecting)
        // The observer may have shut this down.
        if state == .connecting { dial() }
    }

    /// Takes no more calls; those that run finish.
    func shutdown() {
        guard state != .shutdown else { return }
        state = .shutdown
        if let channelz { channelz.registry.removeSubchannel(channelz.id) }
        balancer = nil
        dialing?.cancel()
        retry?.cancel()
        housekeeping?.cancel()
        fresh?.close()
        fresh = nil
        for connection in connections {
            core.forget(connection)
            connection.leave()
        }
        connections = []
    }

    private func become(_ new: ConnectivityState) {
        guard state != new, state != .shutdown else { return }
        state = new
        channelz?.log(new, lastError)
        balancer?.subchannelDidChange(self)
    }

    // MARK: Attempts

    private func dial() {
        let delay = backoff.delay()
        retryAt = core.loop.now + delay
        // An attempt may last as long as the wait after it (connection-backoff.md).
        let limit = Deadline.after(max(delay, core.configuration.connectTimeout))
        isDialing = true
        let (address, dialer) = (address, core.dialer)
        dialing = Task.immediate(executorPreference: core.loop) { [self] in
            do {
                let socket = try await dialer.dial(address, within: limit.remaining)
                isDialing = false
                guard state != .shutdown else { return socket.close() }
                handshake(ClientConnection(socket, self, core), until: limit)
            } catch {
                isDialing = false
                attemptFailed(error is LoopError ? .connect : .tls, "\(error)")
            }
        }
    }

    private func handshake(_ connection: ClientConnection, until limit: Deadline) {
        do {
            try connection.start(settingsWithin: limit.remaining)
            fresh = connection
        } catch {
            connection.close()
            attemptFailed(.http2, "\(error)")
        }
    }

    private func attemptFailed(_ step: ConnectionFailure, _ cause: String) {
        guard state != .shutdown else { return }
        lastError = RPCError(
            .unavailable, "no connection to the server", blame: .peer, cause: cause,
            connectionFailure: step)
        retry?.cancel()
        retry = core.loop.schedule(after: retryAt.remaining) { [self] in
            retry = nil
            if state == .transientFailure { become(.idle) } else { core.pump() }
        }
        if connections.isEmpty { become(.transientFailure) }
    }

    /// One more connection, because calls wait for the peer's stream limit.
    private func addConnection() {
        guard !isDialing, fresh == nil, retry == nil,
            connections.count < core.configuration.maxConnectionsPerAddress
        else { return }
        dial()
        if housekeeping == nil {
            housekeeping = core.loop.schedule(every: core.configuration.extraConnectionIdleTime) {
                [self] in closeIdleExtras()
            }
        }
    }

    private func closeIdleExtras() {
        for connection in connections where connections.count > 1 && connection.wasQuiet() {
            remove(connection)
            connection.leave()
        }
        guard connections.count <= 1, fresh == nil, !isDialing else { return }
        housekeeping?.cancel()
        housekeeping = nil
    }

    private func remove(_ connection: ClientConnection) {
        core.forget(connection)
        connections.removeAll { $0 === connection }
    }

    // MARK: For connections

    /// SETTINGS arrived: the peer is an HTTP/2 server.
    func connectionIsReady(_ connection: ClientConnection) {
        guard fresh === connection else { return }
        fresh = nil
        backoff.reset()
        lastError = nil
        connections.append(connection)
        if state == .connecting { become(.ready) } else { core.pump() }
    }

    /// GOAWAY, or its stream ids are used up: its calls finish there.
    func connectionIsLeaving(_ connection: ClientConnection, _ reason: RPCError) {
        guard connections.contains(where: { $0 === connection }) else { return }
        remove(connection)
        wasLost(reason)
    }

    func connectionDidClose(
        _ connection: ClientConnection, _ loss: RPCError, _ cause: String
    ) {
        if fresh === connection {
            fresh = nil
            return attemptFailed(loss.connectionFailure ?? .http2, cause)
        }
        guard connections.contains(where: { $0 === connection }) else { return }
        remove(connection)
        wasLost(loss)
    }

    private func wasLost(_ reason: RPCError) {
        guard connections.isEmpty, state == .ready else { return }
        lastError = reason
        housekeeping?.cancel()
        housekeeping = nil
        // An extra connection that is being made becomes the first one.
        become(!isDialing && fresh == nil ? .idle : .connecting)
    }
}
