public import Environment
import Loop
import RPC
import Synchronization

/// The servers and channels that ``ChannelzService`` tells of (gRFC A14): those whose
/// configuration names the registry, while they live. Any thread.
///
/// Being listed costs a call nothing: connections count anyway, and are asked on their loops when
/// somebody wants to know.
public final class ChannelzRegistry: Sendable {
    private struct Listed {
        var servers: [Int64: ServerRoster] = [:]
        var channels: [Int64: ChannelCore] = [:]
        var subchannels: [Int64: Subchannel] = [:]
        /// Of clients; those of a server are found through it.
        var connections: [Int64: ClientConnection] = [:]
    }

    let clock: Clock
    private let lastID = Atomic<Int64>(0)
    private let listed = Mutex(Listed())

    public init(clock: Clock = .system) {
        self.clock = clock
    }

    /// Ids of all kinds come from one sequence: a later thing has a higher one.
    func nextID() -> Int64 { lastID.add(1, ordering: .relaxed).newValue }

    // MARK: Who is listed

    func add(_ server: ServerRoster) { listed.withLock { $0.servers[server.id] = server } }
    func remove(_ server: ServerRoster) { listed.withLock { $0.servers[server.id] = nil } }

    func add(_ channel: ChannelCore, _ id: Int64) { listed.withLock { $0.channels[id] = channel } }
    func removeChannel(_ id: Int64) { listed.withLock { $0.channels[id] = nil } }

    func add(_ subchannel: Subchannel, _ id: Int64) {
        listed.withLock { $0.subchannels[id] = subchannel }
    }
    func removeSubchannel(_ id: Int64) { listed.withLock { $0.subchannels[id] = nil } }

    func add(_ connection: ClientConnection) {
        listed.withLock { $0.connections[connection.id] = connection }
    }
    func remove(_ connection: ClientConnection) {
        listed.withLock { $0.connections[connection.id] = nil }
    }

    // MARK: Who is asked for

    func servers(_ page: ChannelzPage) -> (servers: [ServerRoster], end: Bool) {
        page.cut(listed.withLock { $0.servers })
    }

    func server(_ id: Int64) -> ServerRoster? { listed.withLock { $0.servers[id] } }

    func channels(_ page: ChannelzPage) -> (channels: [ChannelCore], end: Bool) {
        page.cut(listed.withLock { $0.channels })
    }

    func channel(_ id: Int64) async -> ChannelzV1.Channel? {
        guard let channel = listed.withLock({ $0.channels[id] }) else { return nil }
        return try? await channel.loop.submit { channel.channelzMessage() }
    }

    func subchannel(_ id: Int64) async -> ChannelzV1.Subchannel? {
        guard let subchannel = listed.withLock({ $0.subchannels[id] }) else { return nil }
        return try? await subchannel.loop.submit { subchannel.channelzMessage() }
    }

    func socket(_ id: Int64) async -> ChannelzV1.Socket? {
        let (connection, servers) = listed.withLock { ($0.connections[id], $0.servers.values) }
        if let connection {
            return try? await connection.loop.submit { [clock] in
                connection.channelz(ChannelzTime(clock))
            }
        }
        for server in servers {
            if let socket = await server.socket(id, clock) { return socket }
        }
        return nil
    }
}
