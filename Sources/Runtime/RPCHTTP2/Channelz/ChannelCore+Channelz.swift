import HTTP2
import Protobuf
import RPC

/// What a channel tells channelz of itself. Loop only.
extension ChannelCore {
    /// Nil when nobody lists it.
    func channelzMessage() -> ChannelzV1.Channel? {
        guard let node = channelz else { return nil }
        var channel = ChannelzV1.Channel()
        channel.ref = .with {
            $0.channelId = node.id
            $0.name = target
        }
        channel.data = node.data(
            board.state.connectivity, target: target, calls, ChannelzTime(node.registry.clock))
        channel.subchannelRef = (balancer?.allSubchannels ?? []).compactMap(\.channelzRef)
        return channel
    }

    /// A state for those who observe the channel.
    func post(_ state: ChannelState) {
        if let channelz, board.state != state { channelz.log(state.connectivity, state.lastError) }
        board.post(state)
    }
}

extension Subchannel {
    var channelzRef: ChannelzV1.SubchannelRef? {
        guard let channelz else { return nil }
        var ref = ChannelzV1.SubchannelRef()
        ref.subchannelId = channelz.id
        ref.name = "\(address)"
        return ref
    }

    /// Nil when it is gone, or nobody lists it.
    func channelzMessage() -> ChannelzV1.Subchannel? {
        guard let node = channelz, state != .shutdown else { return nil }
        var subchannel = ChannelzV1.Subchannel()
        let connections = openConnections
        subchannel.ref = channelzRef
        subchannel.data = node.data(
            state, target: "\(address)", connections.reduce(into: past) { $0 += $1.calls },
            ChannelzTime(node.registry.clock))
        subchannel.socketRef = connections.map { ChannelzSocket.ref($0.id, "\(address)") }
        return subchannel
    }
}

extension ClientConnection {
    /// Every call so far.
    var calls: CallCounts { traffic.calls(started: session?.openedStreams) }

    /// Nil when it is gone.
    func channelz(_ time: ChannelzTime) -> ChannelzV1.Socket? {
        guard let session else { return nil }
        var traffic = traffic
        session.forEachStream { stream in
            if let stream = stream as? ClientStream { traffic.add(stream.messages) }
        }
        var message = ChannelzSocket.message(id, socket, session, traffic, time)
        message.remoteName = channel.authority
        return message
    }
}
