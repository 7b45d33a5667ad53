import Loop

/// The connections of a server, guarded by its lock.
struct ServerState {
    enum Admission {
        case accepted, full, draining
    }

    private(set) var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var perAddress: [String: Int] = [:]
    var listeners: [Listener] = []
    var isDraining = false
    /// Who waits for the last connection to close.
    var waiters: [AsyncStream<Never>.Continuation] = []

    mutating func admit(
        _ connection: ServerConnection, _ configuration: ServerConfiguration
    ) -> Admission {
        if isDraining { return .draining }
        guard connections.count < configuration.maxConnections else { return .full }
        if let limit = configuration.maxConnectionsPerAddress {
            guard perAddress[connection.host, default: 0] < limit else { return .full }
            perAddress[connection.host, default: 0] += 1
        }
        connections[ObjectIdentifier(connection)] = connection
        return .accepted
    }

    /// False when it was not there.
    mutating func remove(_ connection: ServerConnection) -> Bool {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else {
            return false
        }
        if let count = perAddress[connection.host] {
            perAddress[connection.host] = count > 1 ? count - 1 : nil
        }
        if connections.isEmpty {
            for waiter in waiters { waiter.finish() }
            waiters = []
        }
        return true
    }

    var connectionsByLoop: [(EventLoop, [ServerConnection])] {
        Dictionary(grouping: connections.values) { ObjectIdentifier($0.loop) }
            .values.map { ($0[0].loop, $0) }
    }
}
