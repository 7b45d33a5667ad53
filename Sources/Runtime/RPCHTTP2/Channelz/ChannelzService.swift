import Loop
public import RPC

/// `grpc.channelz.v1.Channelz` (gRFC A14): what the servers and channels of a registry are doing,
/// with every connection. It shows addresses and certificates of peers: serve it to those only who
/// may know them.
///
/// A page holds at most 1,000 entries, 100 when the client does not say.
public struct ChannelzService: ChannelzV1.ChannelzService {
    private let registry: ChannelzRegistry

    public init(_ registry: ChannelzRegistry) {
        self.registry = registry
    }

    public func getTopChannels(
        _ request: ChannelzV1.GetTopChannelsRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetTopChannelsResponse {
        let page = try ChannelzPage(from: request.startChannelId, atMost: request.maxResults)
        let (channels, end) = registry.channels(page)
        var response = ChannelzV1.GetTopChannelsResponse()
        for channel in channels {
            let message = try await channel.loop.submit { channel.channelzMessage() }
            if let message { response.channel.append(message) }
        }
        response.end = end
        return response
    }

    public func getServers(
        _ request: ChannelzV1.GetServersRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetServersResponse {
        let page = try ChannelzPage(from: request.startServerId, atMost: request.maxResults)
        let (servers, end) = registry.servers(page)
        var response = ChannelzV1.GetServersResponse()
        for server in servers { response.server.append(await server.message(registry.clock)) }
        response.end = end
        return response
    }

    public func getServer(
        _ request: ChannelzV1.GetServerRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetServerResponse {
        let server = try known(registry.server(request.serverId), "server", request.serverId)
        var response = ChannelzV1.GetServerResponse()
        response.server = await server.message(registry.clock)
        return response
    }

    public func getServerSockets(
        _ request: ChannelzV1.GetServerSocketsRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetServerSocketsResponse {
        let page = try ChannelzPage(from: request.startSocketId, atMost: request.maxResults)
        let server = try known(registry.server(request.serverId), "server", request.serverId)
        let (sockets, end) = page.cut(server.sockets)
        var response = ChannelzV1.GetServerSocketsResponse()
        response.socketRef = sockets.map { ChannelzSocket.ref($0.id, $0.peer.address) }
        response.end = end
        return response
    }

    public func getChannel(
        _ request: ChannelzV1.GetChannelRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetChannelResponse {
        var response = ChannelzV1.GetChannelResponse()
        response.channel = try known(
            await registry.channel(request.channelId), "channel", request.channelId)
        return response
    }

    public func getSubchannel(
        _ request: ChannelzV1.GetSubchannelRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetSubchannelResponse {
        var response = ChannelzV1.GetSubchannelResponse()
        response.subchannel = try known(
            await registry.subchannel(request.subchannelId), "subchannel", request.subchannelId)
        return response
    }

    public func getSocket(
        _ request: ChannelzV1.GetSocketRequest, _ context: ServerContext
    ) async throws -> ChannelzV1.GetSocketResponse {
        var response = ChannelzV1.GetSocketResponse()
        response.socket = try known(
            await registry.socket(request.socketId), "socket", request.socketId)
        return response
    }

    private func known<Value>(
        _ value: Value?, _ kind: String, _ id: Int64
    ) throws(RPCError) -> Value {
        guard let value else {
            throw RPCError(.notFound, "there is no \(kind) \(id)", blame: .caller)
        }
        return value
    }
}
