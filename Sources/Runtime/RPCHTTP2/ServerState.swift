import Loop

/// The connections of a server, guarded by its lock.
struct ServerState {
    enum Admission {
        case accepted, full, draining
    }

    private(set) var connections: [Int64: any ServedConnection] = [:]
    private var perAddress: [String: Int] = [:]
    var listeners: [Listener] = []
    var isDraining = false
    /// The calls of connections that have closed.
    private(set) var past = CallCounts()
    /// For channelz.
    var listening: [(id: Int64, address: SocketAddress)] = []
    var trace: ChannelzTrace?
    /// Who waits for the last connection to close.
    var waiters: [AsyncStream<Never>.Continuation] = []

    mutating func admit(
        _ connection: any ServedConnection, _ configuration: ServerConfiguration
    ) -> Admission {
        if isDraining { return .draining }
        guard connections.count < configuration.maxConnections else { return .full }
        if let limit = configuration.maxConnectionsPerAddress {
            guard perAddress[connection.host, default: 0] < limit else { return .full }
            perAddress[connection.host, default: 0] += 1
        }
        connections[connection.id] = connection
        return .accepted
    }

    /// The same socket, in other hands.
    /// - Returns: whether it has to leave at once.
    mutating func replace(_ old: ServerConnection, _ new: HTTP1Connection) -> Bool {
        if connections[old.id] === old { connections[old.id] = new }
        return isDraining
    }

    /// False when it was not there.
    mutating func remove(_ connection: any ServedConnection) -> Bool {
        guard connections.removeValue(forKey: connection.id) != nil else {
            return false
        }
        past += connection.calls
        if let count = perAddress[connection.host] {
            perAddress[connection.host] = count > 1 ? count - 1 : nil
        }
        if connections.isEmpty {
            for waiter in waiters { waiter.finish() }
            waiters = []
        }
        return true
    }

    var connectionsByLoop: [(EventLoop, [any ServedConnection])] {
        Dictionary(grouping: connections.values) { ObjectIdentifier($0.loop) }
            .values.map { ($0[0].loop, $0) }
    }
}
