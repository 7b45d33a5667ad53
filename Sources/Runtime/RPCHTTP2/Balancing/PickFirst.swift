import Loop
import RPC

/// All calls go to the first address that connects. The attempts overlap, IPv6 and IPv4 in turn
/// (RFC 8305, gRFC A61): the next address begins when the one before has failed or has taken
/// 250 ms.
final class PickFirst: Balancer {
    private let shuffles: Bool
    /// As the resolver gave them.
    private var given: [SocketAddress] = []
    /// In the order in which they are tried.
    private var addresses: [SocketAddress] = []
    private var subchannels: [Subchannel] = []
    private var selected: Subchannel?
    /// The next address of the first pass; nil: not in a pass.
    private var next: Int?
    private var stagger: LoopTimer?

    init(_ core: ChannelCore, shuffles: Bool) {
        self.shuffles = shuffles
        super.init(core)
    }

    override func update(_ addresses: [SocketAddress]) {
        guard addresses != given else { return }
        given = addresses
        self.addresses = AddressOrder.interleaved(shuffles ? addresses.shuffled() : addresses)
        if let selected {
            if addresses.contains(selected.address) { return }
            // Its calls finish; new ones go where the resolver says.
            self.selected = nil
            selected.shutdown()
            become(.idle)
        } else if state == .connecting || state == .transientFailure {
            beginPass()
        }
    }

    override var allSubchannels: [Subchannel] { (selected.map { [$0] } ?? []) + subchannels }

    override func leaveIdle() {
        guard state == .idle, !addresses.isEmpty else { return }
        become(.connecting)
        beginPass()
    }

    override func pick() -> Pick {
        switch state {
        case .ready:
            guard let connection = selected?.connectionWithRoom() else { return .wait }
            core.direct = connection
            return .connection(connection)
        case .transientFailure: return error.map { .fail($0) } ?? .wait
        default: return .wait
        }
    }

    override func shutdown() {
        endPass()
        selected?.shutdown()
        selected = nil
        drop(except: nil)
    }

    // MARK: The pass

    private func beginPass() {
        drop(except: nil)
        subchannels = addresses.map { Subchannel($0, core, self, counts: false) }
        next = 0
        connectNext()
    }

    private func connectNext() {
        stagger?.cancel()
        stagger = nil
        guard let index = next, index < subchannels.count else { return }
        next = index + 1
        let subchannel = subchannels[index]
        subchannel.connect()
        guard next == index + 1, index + 1 < subchannels.count else { return }
        stagger = core.loop.schedule(after: core.configuration.attemptDelay) { [weak self] in
            self?.stagger = nil
            self?.connectNext()
        }
    }

    private func endPass() {
        next = nil
        stagger?.cancel()
        stagger = nil
    }

    private func drop(except kept: Subchannel?) {
        let dropped = subchannels
        subchannels = []
        for subchannel in dropped where subchannel !== kept {
            subchannel.shutdown()
        }
    }

    override func subchannelDidChange(_ subchannel: Subchannel) {
        if subchannel === selected { return selectedDidChange(subchannel) }
        switch subchannel.state {
        case .ready:
            endPass()
            selected = subchannel
            drop(except: subchannel)
            become(.ready)
        case .transientFailure:
            attemptFailed()
        case .idle:
            // Its back-off is over.
            if next == nil || next == subchannels.count { subchannel.connect() }
        default: break
        }
    }

    private func selectedDidChange(_ subchannel: Subchannel) {
        guard subchannel.state != .ready else { return }
        selected = nil
        let error = subchannel.lastError
        subchannel.shutdown()
        become(.idle, error)
    }

    private func attemptFailed() {
        if let index = next, index < subchannels.count { return connectNext() }
        guard subchannels.allSatisfy({ $0.lastError != nil }) else { return }
        endPass()
        // Those whose back-off ended during the pass.
        for subchannel in subchannels { subchannel.connect() }
        become(
            .transientFailure,
            AddressOrder.joined(subchannels.compactMap(\.lastError), core.authority))
    }
}
