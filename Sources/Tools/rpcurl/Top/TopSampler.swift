import Environment
import Glibc
import Loop
import Protobuf
import RPC

/// Asks a process for a sample, by grpc.channelz.v1.
struct TopSampler {
    /// Connections that are asked for each sample, and how many questions are open at a time.
    static let maxConnections = 1000
    private static let concurrency = 16
    private static let patience = Duration.seconds(10)

    private let client: ChannelzV1.ChannelzClient
    private let metadata: Metadata
    private let deadline: Deadline?

    init(_ session: Session) throws(Failure) {
        client = ChannelzV1.ChannelzClient(try session.requireChannel())
        metadata = session.settings.callMetadata
        deadline = session.deadline
    }

    private var options: CallOptions {
        CallOptions(deadline: min(deadline ?? .distantFuture, .after(TopSampler.patience)))
    }

    /// - Throws: `RPCError`; what vanishes meanwhile is left out.
    func sample() async throws -> TopSample {
        var sample = TopSample(taken: .now())
        var sockets: [(id: Int64, owner: TopSample.Owner)] = []
        for server in try await servers() {
            sample.servers.append(server)
            let room = TopSampler.maxConnections - sockets.count
            let (ids, isCut) = try await connections(of: server.id, atMost: room)
            sockets += ids.map { ($0, .server(server.id)) }
            if isCut { sample.isCut = true }
        }
        for message in try await channels() {
            var channel = TopSampler.channel(message)
            for ref in message.subchannelRef {
                guard let found = try await subchannel(ref.subchannelId) else { continue }
                channel.subchannels.append(TopSampler.channel(found))
                sockets += found.socketRef.map { ($0.socketId, .subchannel(ref.subchannelId)) }
            }
            sample.channels.append(channel)
        }
        if sockets.count > TopSampler.maxConnections { sample.isCut = true }
        sample.connections = try await ask(sockets.prefix(TopSampler.maxConnections))
        return sample
    }

    // MARK: Lists

    private func servers() async throws -> [TopSample.Server] {
        var request = ChannelzV1.GetServersRequest()
        var servers: [TopSample.Server] = []
        while true {
            let page = try await client.getServers(request, metadata: metadata, options: options)
            for server in page.server { servers.append(try await named(server)) }
            guard !page.end, let last = page.server.last?.ref?.serverId else { return servers }
            request.startServerId = last + 1
        }
    }

    /// With the addresses of its listeners: their names are what the library likes.
    private func named(_ server: ChannelzV1.Server) async throws -> TopSample.Server {
        var listeners: [String] = []
        for ref in server.listenSocket {
            let address = try await socket(ref.socketId)?.local.flatMap(TopSampler.text)
            listeners.append(address ?? ref.name)
        }
        let data = server.data ?? .init()
        return TopSample.Server(
            id: server.ref?.serverId ?? 0, name: server.ref?.name ?? "", listeners: listeners,
            calls: .init(
                started: data.callsStarted, succeeded: data.callsSucceeded,
                failed: data.callsFailed))
    }

    private func connections(
        of server: Int64, atMost limit: Int
    ) async throws -> (ids: [Int64], isCut: Bool) {
        var request = ChannelzV1.GetServerSocketsRequest()
        request.serverId = server
        var ids: [Int64] = []
        while ids.count < limit {
            let answer = try await present {
                try await client.getServerSockets(request, metadata: metadata, options: options)
            }
            guard let page = answer else { return (ids, false) }
            ids += page.socketRef.map(\.socketId)
            guard !page.end, let last = ids.last else {
                return (Array(ids.prefix(limit)), ids.count > limit)
            }
            request.startSocketId = last + 1
        }
        return (Array(ids.prefix(limit)), true)
    }

    private func channels() async throws -> [ChannelzV1.Channel] {
        var request = ChannelzV1.GetTopChannelsRequest()
        var channels: [ChannelzV1.Channel] = []
        while true {
            let page = try await client.getTopChannels(
                request, metadata: metadata, options: options)
            channels += page.channel
            guard !page.end, let last = page.channel.last?.ref?.channelId else { return channels }
            request.startChannelId = last + 1
        }
    }

    // MARK: Parts

    private func subchannel(_ id: Int64) async throws -> ChannelzV1.Subchannel? {
        try await present {
            try await client.getSubchannel(
                .with { $0.subchannelId = id }, metadata: metadata, options: options
            ).subchannel
        } ?? nil
    }

    private func socket(_ id: Int64) async throws -> ChannelzV1.Socket? {
        try await present {
            try await client.getSocket(
                .with { $0.socketId = id }, metadata: metadata, options: options
            ).socket
        } ?? nil
    }

    /// Nil for what is gone by now.
    private func present<Value>(_ ask: () async throws -> Value) async throws -> Value? {
        do {
            return try await ask()
        } catch let error as RPCError where error.code == .notFound {
            return nil
        }
    }

    private func ask(
        _ sockets: ArraySlice<(id: Int64, owner: TopSample.Owner)>
    ) async throws -> [TopSample.Connection] {
        var waiting = sockets[...]
        return try await withThrowingTaskGroup(of: TopSample.Connection?.self) { group in
            var connections: [TopSample.Connection] = []
            var open = 0
            while !waiting.isEmpty || open > 0 {
                if open < TopSampler.concurrency, let (id, owner) = waiting.popFirst() {
                    open += 1
                    group.addTask { try await connection(id, owner) }
                } else {
                    open -= 1
                    if let connection = try await group.next() ?? nil {
                        connections.append(connection)
                    }
                }
            }
            return connections
        }
    }

    private func connection(
        _ id: Int64, _ owner: TopSample.Owner
    ) async throws -> TopSample.Connection? {
        guard let socket = try await socket(id) else { return nil }
        let data = socket.data ?? .init()
        return TopSample.Connection(
            id: id, owner: owner,
            peer: socket.remote.flatMap(TopSampler.text) ?? socket.ref?.name ?? "",
            local: socket.local.flatMap(TopSampler.text) ?? "",
            streams: .init(
                started: data.streamsStarted, succeeded: data.streamsSucceeded,
                failed: data.streamsFailed),
            messagesSent: data.messagesSent, messagesReceived: data.messagesReceived,
            keepalives: data.keepAlivesSent, sendWindow: data.localFlowControlWindow?.value,
            receiveWindow: data.remoteFlowControlWindow?.value,
            security: socket.security.flatMap(TopSampler.text))
    }

    // MARK: Texts

    private static func channel(_ channel: ChannelzV1.Channel) -> TopSample.Channel {
        describe(channel.ref?.channelId, channel.data ?? .init(), channel.ref?.name)
    }

    private static func channel(_ subchannel: ChannelzV1.Subchannel) -> TopSample.Channel {
        describe(subchannel.ref?.subchannelId, subchannel.data ?? .init(), subchannel.ref?.name)
    }

    private static func describe(
        _ id: Int64?, _ data: ChannelzV1.ChannelData, _ name: String?
    ) -> TopSample.Channel {
        let state = data.state?.state ?? .unknown
        return TopSample.Channel(
            id: id ?? 0, target: data.target.isEmpty ? name ?? "" : data.target,
            state: ChannelzV1.ChannelConnectivityState.State.schema.value(number: state.rawValue)?
                .name ?? "\(state.rawValue)",
            calls: .init(
                started: data.callsStarted, succeeded: data.callsSucceeded,
                failed: data.callsFailed),
            event: data.trace?.events.last?.description)
    }

    private static func text(_ address: ChannelzV1.Address) -> String? {
        switch address.address {
        case .tcpipAddress(let tcp):
            guard let host = host(tcp.ipAddress) else { return nil }
            return "\(host):\(tcp.port)"
        case .udsAddress(let unix): return "unix:\(unix.filename)"
        case .otherAddress(let other): return other.name
        case nil: return nil
        }
    }

    private static func host(_ bytes: [UInt8]) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        let host = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        return bytes.count == 4 ? host : "[\(host)]"
    }

    private static func text(_ security: ChannelzV1.Security) -> String? {
        switch security.model {
        case .tls(let tls):
            switch tls.cipherSuite {
            case .standardName(let name), .otherName(let name): return name
            case nil: return "TLS"
            }
        case .other(let other): return other.name
        case nil: return nil
        }
    }
}
