import Environment
import Loop
import Protobuf
import RPC
import Testing

@testable import RPCHTTP2

@Suite("channelz", .timeLimit(.minutes(5)))
struct ChannelzTests {
    typealias Client = ChannelzV1.ChannelzClient

    /// A server of test.T that is listed, and tells so itself.
    private func server(_ registry: ChannelzRegistry) async throws -> TestServer {
        var configuration = ServerConfiguration()
        configuration.channelz = registry
        return try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                let message = try await call.receiveOnly()
                if message.isEmpty { throw RPCError(.notFound, "empty") }
                try call.sendOnly(message)
            }
            router.handle(Methods.bidi) { call in
                while let message = try await call.receive() { try await call.send(message) }
            }
            router.register(ChannelzService(registry))
        }
    }

    /// Asks a registry without a connection that would show up in it.
    private func client(of registry: ChannelzRegistry) -> Client {
        Client(
            InProcessChannel(ChannelzService(registry), loop: EventLoop(name: "channelz")))
    }

    @Test("a server: calls by outcome, last start, listeners, what happened")
    func servers() async throws {
        let registry = ChannelzRegistry()
        let server = try await server(registry)
        let began = Instant.now()
        let channel = try server.channel()
        for _ in 0..<3 { #expect(try await channel.unary(Methods.unary, [1]) == [1]) }
        #expect(await failure { _ = try await channel.unary(Methods.unary, []) }?.code == .notFound)
        let client = client(of: registry)
        let list = try await client.getServers(ChannelzV1.GetServersRequest())
        #expect(list.end)
        let found = try #require(list.server.first)
        #expect(list.server.count == 1)
        let data = try #require(found.data)
        #expect([data.callsStarted, data.callsSucceeded, data.callsFailed] == [4, 3, 1])
        let last = try #require(data.lastCallStartedTimestamp).seconds
        #expect(abs(last - began.secondsSinceEpoch) <= 30)
        #expect(found.ref?.name == "\(server.address)")
        #expect(data.trace?.events.map(\.description) == ["listening on \(server.address)"])
        let listener = try #require(found.listenSocket.first)
        let socket = try await client.getSocket(.with { $0.socketId = listener.socketId }).socket
        #expect(socket?.local == ChannelzV1.Address(server.address))
        // The calls of a connection that has closed are not forgotten.
        channel.close()
        let id = try #require(found.ref).serverId
        while true {
            let now = try await client.getServer(.with { $0.serverId = id }).server
            #expect(now?.data?.callsStarted == 4)
            let sockets = try await client.getServerSockets(.with { $0.serverId = id })
            if sockets.socketRef.isEmpty { break }
        }
        let later = try await client.getServer(.with { $0.serverId = id }).server
        #expect(later?.data?.callsSucceeded == 3)
        #expect(later?.data?.callsFailed == 1)
    }

    @Test("a connection of a server: streams, messages, addresses, windows, also while calls run")
    func serverSocket() async throws {
        let registry = ChannelzRegistry()
        let server = try await server(registry)
        let channel = try server.channel()
        let client = Client(channel)
        _ = try await channel.unary(Methods.unary, [1])
        let open = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        for _ in 0..<5 {
            try await open.send([1])
            _ = try await open.receive()
        }
        let id = try #require(
            try await client.getServers(.init()).server.first?.ref?.serverId)
        let refs = try await client.getServerSockets(.with { $0.serverId = id }).socketRef
        #expect(refs.count == 1)
        let ref = try #require(refs.first)
        let socket = try #require(
            try await client.getSocket(.with { $0.socketId = ref.socketId }).socket)
        let data = try #require(socket.data)
        // The unary call, the open one, and the three about channelz.
        #expect(data.streamsStarted == 5)
        #expect(data.streamsSucceeded == 3)
        #expect(data.streamsFailed == 0)
        #expect(data.messagesReceived == 1 + 5 + 3)
        #expect(data.messagesSent == 1 + 5 + 2)
        #expect(data.lastRemoteStreamCreatedTimestamp != nil)
        #expect(data.lastLocalStreamCreatedTimestamp == nil)
        #expect(data.lastMessageSentTimestamp != nil)
        #expect(data.lastMessageReceivedTimestamp != nil)
        #expect(data.localFlowControlWindow?.value ?? 0 > 0)
        #expect(data.remoteFlowControlWindow?.value ?? 0 > 0)
        #expect(socket.local == ChannelzV1.Address(server.address))
        guard case .tcpipAddress(let remote)? = socket.remote?.address else {
            Issue.record("no address: \(socket)")
            return
        }
        #expect(remote.ipAddress == [127, 0, 0, 1])
        #expect(ref.name == "127.0.0.1:\(remote.port)")
        #expect(socket.security == nil)
        // A stream that the client resets has failed.
        open.cancel()
        while true {
            let data = try await client.getSocket(.with { $0.socketId = ref.socketId }).socket?.data
            if data?.streamsFailed == 1 { break }
        }
    }

    @Test("a channel, its address and its connection: states, calls, what happened")
    func channels() async throws {
        let server = try await server(ChannelzRegistry())
        let registry = ChannelzRegistry()
        var configuration = ChannelConfiguration()
        configuration.channelz = registry
        let client = client(of: registry)
        let channel = try server.channel(configuration)
        let idle = try #require(try await client.getTopChannels(.init()).channel.first)
        #expect(idle.data?.state?.state == .idle)
        #expect(idle.data?.target == server.target)
        #expect(idle.subchannelRef.isEmpty)
        _ = try await channel.unary(Methods.unary, [1])
        _ = try await channel.unary(Methods.unary, [2])
        _ = await failure { _ = try await channel.unary(Methods.unary, []) }
        let call = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        try await call.send([7])
        _ = try await call.receive()
        let id = try #require(idle.ref).channelId
        let now = try #require(try await client.getChannel(.with { $0.channelId = id }).channel)
        let data = try #require(now.data)
        #expect(data.state?.state == .ready)
        #expect([data.callsStarted, data.callsSucceeded, data.callsFailed] == [4, 2, 1])
        #expect(data.lastCallStartedTimestamp != nil)
        let events = data.trace?.events.map(\.description) ?? []
        #expect(events.first == "created")
        #expect(events.contains("address \(server.address) added"))
        #expect(events.last == "READY")
        #expect(data.trace?.numEventsLogged == Int64(events.count))
        let child = try #require(now.subchannelRef.first).subchannelId
        let subchannel = try #require(
            try await client.getSubchannel(.with { $0.subchannelId = child }).subchannel)
        #expect(subchannel.data?.state?.state == .ready)
        #expect(subchannel.data?.callsStarted == 4)
        #expect(subchannel.data?.callsSucceeded == 2)
        #expect(subchannel.data?.callsFailed == 1)
        let ref = try #require(subchannel.socketRef.first)
        let socket = try #require(
            try await client.getSocket(.with { $0.socketId = ref.socketId }).socket)
        #expect(socket.data?.streamsStarted == 4)
        #expect(socket.data?.messagesSent == 4)
        #expect(socket.data?.messagesReceived == 3)
        #expect(socket.data?.lastLocalStreamCreatedTimestamp != nil)
        #expect(socket.remote == ChannelzV1.Address(server.address))
        #expect(socket.remoteName == server.target)
        call.cancel()
        channel.close()
        while true {
            let closed = try await client.getChannel(.with { $0.channelId = id }).channel
            guard closed?.data?.state?.state == .shutdown else { continue }
            #expect(closed?.data?.callsFailed == 2)
            #expect(closed?.subchannelRef.isEmpty == true)
            break
        }
    }

    @Test("what is gone or never was is NOT_FOUND, a negative page INVALID_ARGUMENT")
    func absent() async throws {
        let registry = ChannelzRegistry()
        let client = client(of: registry)
        var configuration = ChannelConfiguration()
        configuration.channelz = registry
        var channel: HTTP2Channel? = try HTTP2Channel(
            target: "127.0.0.1:1", loop: EventLoop(name: "client"), configuration: configuration)
        #expect(try await client.getTopChannels(.init()).channel.count == 1)
        channel?.close()
        channel = nil
        #expect(try await client.getTopChannels(.init()).channel.isEmpty)
        let calls: [() async throws -> Void] = [
            { _ = try await client.getChannel(.with { $0.channelId = 1 }) },
            { _ = try await client.getSubchannel(.with { $0.subchannelId = 1 }) },
            { _ = try await client.getSocket(.with { $0.socketId = 1 }) },
            { _ = try await client.getServer(.with { $0.serverId = 1 }) },
            { _ = try await client.getServerSockets(.with { $0.serverId = 1 }) },
        ]
        for call in calls { #expect(await failure(call)?.code == .notFound) }
        let negative = await failure {
            _ = try await client.getServers(.with { $0.maxResults = -1 })
        }
        #expect(negative?.code == .invalidArgument)
    }

    @Test("pages: by id, the lowest first, and `end` with the last")
    func pages() async throws {
        let registry = ChannelzRegistry()
        let server = try await server(registry)
        let client = client(of: registry)
        let loop = EventLoop(name: "client")
        let channels = try (0..<5).map { _ in try HTTP2Channel(target: server.target, loop: loop) }
        for channel in channels { _ = try await channel.unary(Methods.unary, [1]) }
        let id = try #require(try await client.getServers(.init()).server.first?.ref?.serverId)
        var request = ChannelzV1.GetServerSocketsRequest()
        request.serverId = id
        request.maxResults = 2
        var seen: [Int64] = []
        var sizes: [Int] = []
        while true {
            let page = try await client.getServerSockets(request)
            seen += page.socketRef.map(\.socketId)
            sizes.append(page.socketRef.count)
            request.startSocketId = (seen.last ?? 0) + 1
            if page.end { break }
        }
        #expect(sizes == [2, 2, 1])
        #expect(seen == Set(seen).sorted())
        request.startSocketId = (seen.last ?? 0) + 1
        let beyond = try await client.getServerSockets(request)
        #expect(beyond.end)
        #expect(beyond.socketRef.isEmpty)
    }

    @Test("a call that is retried is one call of the channel and several of its address")
    func retries() async throws {
        let server = try await RawServer { request in
            request.answer(
                request.number < 2 ? nil : request.message, status: request.number < 2 ? 14 : 0)
        }
        let registry = ChannelzRegistry()
        var configuration = RetryTests.configuration(RetryTests.retry(4))
        configuration.channelz = registry
        let channel = try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: configuration)
        #expect(try await channel.unary(Methods.unary, [1]) == [1])
        let client = client(of: registry)
        let listed = try #require(try await client.getTopChannels(.init()).channel.first)
        #expect(listed.data?.callsStarted == 1)
        #expect(listed.data?.callsSucceeded == 1)
        #expect(listed.data?.callsFailed == 0)
        let child = try #require(listed.subchannelRef.first).subchannelId
        let data = try await client.getSubchannel(.with { $0.subchannelId = child }).subchannel?
            .data
        #expect(data?.callsStarted == 3)
        #expect(data?.callsSucceeded == 1)
        #expect(data?.callsFailed == 2)
    }

    @Test("an address that fails says why, as a warning")
    func failing() async throws {
        let registry = ChannelzRegistry()
        var configuration = ChannelConfiguration()
        configuration.channelz = registry
        let channel = try HTTP2Channel(
            target: "127.0.0.1:1", loop: EventLoop(name: "client"), configuration: configuration)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, []) }?.code == .unavailable)
        let client = client(of: registry)
        let listed = try #require(try await client.getTopChannels(.init()).channel.first)
        #expect(listed.data?.state?.state == .transientFailure)
        #expect(listed.data?.callsFailed == 1)
        let event = try #require(listed.data?.trace?.events.last)
        #expect(event.severity == .ctWarning)
        #expect(event.description.contains("ECONNREFUSED"))
    }

    @Test("the trace keeps the newest events, in order, and counts all")
    func trace() {
        var trace = ChannelzTrace(at: Instant(secondsSinceEpoch: 1))
        for number in 1...100 {
            trace.add("\(number)", at: Instant(secondsSinceEpoch: Int64(number)))
        }
        let message = trace.message
        #expect(message.numEventsLogged == 100)
        #expect(message.creationTimestamp?.seconds == 1)
        #expect(message.events.map(\.description) == (69...100).map { "\($0)" })
        #expect(message.events.last?.timestamp?.seconds == 100)
    }
}
