import Loop
import RPC

/// What a policy says about the next call.
enum Pick {
    case connection(ClientConnection)
    /// Nothing to send on yet: the channel pumps when that changes.
    case wait
    /// Nothing works: for calls that do not wait for ready.
    case fail(RPCError)
}

/// Which of the addresses a call goes to. One object serves one channel until it goes idle, on
/// its loop. A class and not a protocol: a pick is a table call, never a witness look-up.
class Balancer {
    unowned let core: ChannelCore
    final private(set) var state = ConnectivityState.idle
    final private(set) var error: RPCError?

    init(_ core: ChannelCore) {
        self.core = core
    }

    /// The addresses of the target, never none; replaces the former ones.
    func update(_ addresses: [SocketAddress]) {}
    /// Connect, since a call or `connect()` asks.
    func leaveIdle() {}
    func pick() -> Pick { .wait }
    /// For channelz.
    var allSubchannels: [Subchannel] { [] }
    func subchannelDidChange(_ subchannel: Subchannel) {}
    /// Calls that run finish.
    func shutdown() {}

    final func become(_ state: ConnectivityState, _ error: RPCError? = nil) {
        if state == .ready { self.error = nil } else if let error { self.error = error }
        self.state = state
        core.balancerDidChange(self)
    }
}
