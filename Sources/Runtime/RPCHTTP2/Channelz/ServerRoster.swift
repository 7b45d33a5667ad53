import Environment
import HTTP2
import Loop
import Protobuf
import RPC
import Synchronization

/// Who is connected to a server. An object of its own, so that a registry can keep it without
/// keeping the server.
final class ServerRoster: Sendable {
    let state = Mutex(ServerState())
    let id: Int64
    private let registry: ChannelzRegistry?
    /// Of connections that no registry counts.
    private let ids = Atomic<Int64>(0)

    init(_ registry: ChannelzRegistry?) {
        self.registry = registry
        id = registry?.nextID() ?? 0
        guard let registry else { return }
        state.withLock { $0.trace = ChannelzTrace(at: registry.clock.now()) }
        registry.add(self)
    }

    func nextID() -> Int64 {
        registry?.nextID() ?? ids.add(1, ordering: .relaxed).newValue
    }

    func leave() {
        registry?.remove(self)
    }

    func log(_ text: @autoclosure () -> String, _ state: inout ServerState) {
        if let registry { state.trace?.add(text(), at: registry.clock.now()) }
    }

    func listens(at address: SocketAddress) {
        guard registry != nil else { return }
        let id = nextID()
        state.withLock { state in
            state.listening.append((id, address))
            log("listening on \(address)", &state)
        }
    }

    // MARK: For the registry

    func message(_ clock: Clock) async -> ChannelzV1.Server {
        let (past, groups, listening, trace) = state.withLock {
            ($0.past, $0.connectionsByLoop, $0.listening, $0.trace)
        }
        var calls = past
        for (loop, connections) in groups {
            let part = try? await loop.submit {
                connections.reduce(into: CallCounts()) { $0 += $1.calls }
            }
            if let part { calls += part }
        }
        let time = ChannelzTime(clock)
        var server = ChannelzV1.Server()
        server.ref = .with {
            $0.serverId = id
            $0.name = listening.map { "\($0.address)" }.joined(separator: ", ")
        }
        server.listenSocket = listening.map { ChannelzSocket.ref($0.id, "\($0.address)") }
        server.data = .with { data in
            data.trace = trace?.message
            data.callsStarted = Int64(calls.started)
            data.callsSucceeded = Int64(calls.succeeded)
            data.callsFailed = Int64(calls.failed)
            data.lastCallStartedTimestamp = time.timestamp(calls.lastStarted)
        }
        return server
    }

    /// Nil when the server has no such socket.
    func socket(_ id: Int64, _ clock: Clock) async -> ChannelzV1.Socket? {
        let (connection, listener) = state.withLock { state in
            (state.connections[id], state.listening.first { $0.id == id })
        }
        if let listener { return ChannelzSocket.message(listening: id, at: listener.address) }
        guard let connection else { return nil }
        return try? await connection.loop.submit { connection.channelz(ChannelzTime(clock)) }
    }

    /// The connections, in no order.
    var sockets: [Int64: any ServedConnection] { state.withLock { $0.connections } }
}

extension ServerConnection {
    var calls: CallCounts { traffic.calls(started: session?.openedStreams) }

    func channelz(_ time: ChannelzTime) -> ChannelzV1.Socket {
        var traffic = traffic
        session?.forEachStream { stream in
            if let stream = stream as? ServerStream { traffic.add(stream.messages) }
        }
        return ChannelzSocket.message(id, socket, session, traffic, time)
    }
}

extension HTTP1Connection {
    var calls: CallCounts { traffic.calls(started: nil) }

    func channelz(_ time: ChannelzTime) -> ChannelzV1.Socket {
        var traffic = traffic
        if let web { traffic.add(web.messages) }
        return ChannelzSocket.message(id, socket, nil, traffic, time)
    }
}
