import Loop
import RPC

/// Keeps a connection to every address and spreads the calls; how is the subclass's `choose`.
class SpreadingBalancer: Balancer {
    private var subchannels: [Subchannel] = []
    /// Those that calls may go to: ready and not ejected.
    private(set) final var ready: [Subchannel] = []
    /// Failed since they were last ready: reconnecting does not make the channel hopeful again.
    private var failed: Set<ObjectIdentifier> = []
    private var outliers: OutlierWatch?

    init(_ core: ChannelCore, outliers: OutlierDetection?) {
        super.init(core)
        self.outliers = outliers.map { detection in
            OutlierWatch(detection, core.loop) { [unowned self] in refreshReady() }
        }
    }

    /// The index in `ready`, which is not empty, that the next call goes to.
    func choose() -> Int { 0 }

    override func update(_ addresses: [SocketAddress]) {
        let wanted = AddressOrder.unique(addresses)
        var kept: [SocketAddress: Subchannel] = [:]
        for subchannel in subchannels {
            if wanted.contains(subchannel.address) {
                kept[subchannel.address] = subchannel
            } else {
                failed.remove(ObjectIdentifier(subchannel))
                subchannel.shutdown()
            }
        }
        subchannels = wanted.map {
            kept[$0] ?? Subchannel($0, core, self, counts: outliers != nil)
        }
        outliers?.update(subchannels)
        for subchannel in subchannels { subchannel.connect() }
        refreshReady()
    }

    override var allSubchannels: [Subchannel] { subchannels }

    override func leaveIdle() {
        for subchannel in subchannels { subchannel.connect() }
    }

    override func pick() -> Pick {
        guard !ready.isEmpty else {
            guard state == .transientFailure, let error else { return .wait }
            return .fail(error)
        }
        let first = choose()
        if let connection = ready[first].connectionWithRoom() { return .connection(connection) }
        for offset in 1..<max(ready.count, 1) {
            let other = ready[(first + offset) % ready.count]
            if let connection = other.connectionWithRoom() { return .connection(connection) }
        }
        return .wait
    }

    override func shutdown() {
        outliers?.stop()
        ready = []
        let dropped = subchannels
        subchannels = []
        for subchannel in dropped { subchannel.shutdown() }
    }

    override func subchannelDidChange(_ subchannel: Subchannel) {
        switch subchannel.state {
        case .ready: failed.remove(ObjectIdentifier(subchannel))
        case .transientFailure: failed.insert(ObjectIdentifier(subchannel))
        default: break
        }
        refreshReady()
        if subchannel.state == .idle {
            // Lost, or its back-off is over: every address is kept connected.
            core.addressFailed()
            subchannel.connect()
        }
    }

    private func refreshReady() {
        let connected = subchannels.filter { $0.state == .ready }
        ready = connected.filter { outliers?.isEjected($0.address) != true }
        if !ready.isEmpty {
            become(.ready)
        } else if !connected.isEmpty {
            become(
                .transientFailure,
                RPCError(
                    .unavailable, "every server is ejected for failing too many calls",
                    blame: .peer, cause: "for \(core.authority)"))
        } else if failed.count == subchannels.count, !subchannels.isEmpty {
            become(
                .transientFailure,
                AddressOrder.joined(subchannels.compactMap(\.lastError), core.authority))
        } else {
            become(.connecting, subchannels.lazy.compactMap(\.lastError).first)
        }
    }
}

/// Every address in turn.
final class RoundRobin: SpreadingBalancer {
    // Channels that start together do not all begin with the same address.
    private var turn = Int.random(in: 0..<1 << 16)

    override func choose() -> Int {
        turn &+= 1
        return Int(UInt(bitPattern: turn) % UInt(ready.count))
    }
}

/// The address with the fewest running calls of a few that are drawn at random (gRFC A48).
final class LeastRequest: SpreadingBalancer {
    private let choices: Int

    init(_ core: ChannelCore, choices: Int, outliers: OutlierDetection?) {
        self.choices = choices
        super.init(core, outliers: outliers)
    }

    override func choose() -> Int {
        var best = Int.random(in: 0..<ready.count)
        var fewest = ready[best].openCalls
        for _ in 1..<choices {
            let other = Int.random(in: 0..<ready.count)
            let calls = ready[other].openCalls
            if calls < fewest { (best, fewest) = (other, calls) }
        }
        return best
    }
}
