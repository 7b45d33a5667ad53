import Loop
import RPC

/// The channel's own states: idle, resolving, connected, closed.
extension ChannelCore {
    static let closed = RPCError(.unavailable, "the channel was closed", blame: .caller)

    /// A call, or the owner, wants a connection.
    func wakeUp() {
        guard !isClosed else { return }
        guard resolverRuns else { return startResolving() }
        if let balancer, balancer.state == .idle { balancer.leaveIdle() }
    }

    private func startResolving() {
        resolverRuns = true
        post(ChannelState(.connecting))
        if let timeout = configuration.idleTimeout {
            idleTicks = loop.schedule(every: timeout / 4) { [weak self] in self?.checkIdle() }
        }
        resolver.start(on: loop) { [weak self, loop] resolution in
            guard let self else { return }
            if loop.isInLoop {
                resolverDidReport(resolution)
            } else {
                loop.execute { self.resolverDidReport(resolution) }
            }
        }
    }

    private func resolverDidReport(_ resolution: NameResolution) {
        guard resolverRuns, !isClosed else { return }
        switch resolution.addresses {
        case .success(let addresses) where !addresses.isEmpty:
            use(addresses, resolution.serviceConfig)
        case .success:
            resolutionFailed(RPCError(.unavailable, "the resolver knows no address", blame: .peer))
        case .failure(let error):
            resolutionFailed(error)
        }
    }

    private func use(_ addresses: [SocketAddress], _ found: ServiceConfig?) {
        resolutionError = nil
        adopt(configuration.serviceConfig ?? found)
        let wanted = serviceConfig?.loadBalancing ?? configuration.loadBalancing
        if let balancer, policy == wanted {
            balancer.update(addresses)
            return decide()
        }
        direct = nil
        let former = balancer
        let balancer = wanted.balancer(self)
        self.balancer = balancer
        policy = wanted
        channelz?.log("addresses: \(addresses.count), policy \(wanted)")
        balancer.update(addresses)
        balancer.leaveIdle()
        former?.shutdown()
        decide()
    }

    private func resolutionFailed(_ error: RPCError) {
        // A name server that is down does not take working addresses away.
        let cause = error.cause ?? error.message
        channelz?.log("resolver: \(cause)", .ctWarning)
        guard balancer == nil else { return }
        let failure = RPCError(
            .unavailable, "no connection to the server", blame: .peer,
            cause: "\(cause), for \(authority)", connectionFailure: .resolution)
        resolutionError = failure
        decide()
        post(ChannelState(.transientFailure, lastError: failure))
        failImpatient(failure)
    }

    func balancerDidChange(_ balancer: Balancer) {
        guard balancer === self.balancer else { return }
        post(ChannelState(balancer.state, lastError: balancer.error))
        switch balancer.state {
        case .ready: pump()
        case .transientFailure:
            addressFailed()
            if let error = balancer.error { failImpatient(error) }
        case .idle:
            addressFailed()
            if hasPending { balancer.leaveIdle() }
        case .connecting, .shutdown: break
        }
    }

    /// Addresses may be out of date.
    func addressFailed() {
        resolver.refresh()
    }

    // MARK: Connections

    func add(_ connection: ClientConnection) {
        connections.append(connection)
    }

    func remove(_ connection: ClientConnection) {
        connections.removeAll { $0 === connection }
    }

    /// No more calls go there.
    func forget(_ connection: ClientConnection) {
        if direct === connection { direct = nil }
    }

    /// gRFC A8: later connections ping half as often.
    func pingsWereTooMany() {
        keepaliveTime = keepaliveTime.map { min($0 * 2, .seconds(1 << 40)) }
    }

    // MARK: Idle and the end

    /// Four ticks in a row without a call are the idle time.
    private func checkIdle() {
        let isQuiet =
            sentCalls == sentCallsBefore && !hasPending
            && connections.allSatisfy { $0.openCalls == 0 }
        sentCallsBefore = sentCalls
        quietTicks = isQuiet ? quietTicks + 1 : 0
        if quietTicks >= 4 { becomeIdle(ChannelState(.idle)) }
    }

    private func becomeIdle(_ state: ChannelState) {
        idleTicks?.cancel()
        idleTicks = nil
        quietTicks = 0
        resolverRuns = false
        resolver.stop()
        resolutionError = nil
        let balancer = balancer
        self.balancer = nil
        direct = nil
        balancer?.shutdown()
        post(state)
    }

    /// The channel's owner has dropped it: calls that run finish, then the connections close.
    func abandon() {
        if hasPending { return close() }
        isClosed = true
        becomeIdle(ChannelState(.shutdown))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        becomeIdle(ChannelState(.shutdown))
        for connection in connections { connection.close() }
        while let stream = popPending() { stream.fail(ChannelCore.closed) }
        decide()
    }
}
