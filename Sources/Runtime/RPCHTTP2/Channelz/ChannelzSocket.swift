import Glibc
import HTTP2
import Loop
import Protobuf
import RPC
import TLS

/// How a connection is told to channelz.
enum ChannelzSocket {
    /// - Parameters:
    ///   - traffic: with the messages of the open streams.
    ///   - session: nil: nothing has been said yet.
    static func message(
        _ id: Int64, _ stream: any ByteStream, _ session: HTTP2Session?,
        _ traffic: ConnectionTraffic, _ time: ChannelzTime
    ) -> ChannelzV1.Socket {
        var socket = ChannelzV1.Socket()
        socket.ref = ref(id, "\(stream.peer)")
        socket.local = stream.localAddress().map { ChannelzV1.Address($0) }
        socket.remote = ChannelzV1.Address(stream.peer)
        socket.security = (stream as? TLSStream).flatMap(security)
        socket.data = data(session, traffic, time)
        return socket
    }

    /// A listening socket.
    static func message(listening id: Int64, at address: SocketAddress) -> ChannelzV1.Socket {
        var socket = ChannelzV1.Socket()
        socket.ref = ref(id, "\(address)")
        socket.local = ChannelzV1.Address(address)
        socket.data = ChannelzV1.SocketData()
        return socket
    }

    static func ref(_ id: Int64, _ name: String) -> ChannelzV1.SocketRef {
        var ref = ChannelzV1.SocketRef()
        ref.socketId = id
        ref.name = name
        return ref
    }

    private static func data(
        _ session: HTTP2Session?, _ traffic: ConnectionTraffic, _ time: ChannelzTime
    ) -> ChannelzV1.SocketData {
        var data = ChannelzV1.SocketData()
        data.messagesSent = Int64(traffic.messagesSent)
        data.messagesReceived = Int64(traffic.messagesReceived)
        data.keepAlivesSent = Int64(traffic.pings)
        data.lastMessageSentTimestamp = time.timestamp(traffic.lastSent)
        data.lastMessageReceivedTimestamp = time.timestamp(traffic.lastReceived)
        guard let session else { return data }
        data.streamsStarted = Int64(session.openedStreams)
        data.streamsFailed = Int64(session.failedStreams)
        data.streamsSucceeded = Int64(
            session.openedStreams - session.failedStreams - session.openStreams)
        if session.role == .client {
            data.lastLocalStreamCreatedTimestamp = time.timestamp(traffic.lastStream)
        } else {
            data.lastRemoteStreamCreatedTimestamp = time.timestamp(traffic.lastStream)
        }
        // The windows are named after who may send, not after who keeps them.
        data.localFlowControlWindow = .with { $0.value = Int64(session.sendWindow) }
        data.remoteFlowControlWindow = .with { $0.value = Int64(session.receiveWindow) }
        return data
    }

    private static func security(_ stream: TLSStream) -> ChannelzV1.Security? {
        guard let agreement = stream.agreement else { return nil }
        var tls = ChannelzV1.Security.Tls()
        // OpenSSL has names of its own for the suites of TLS 1.2.
        tls.cipherSuite =
            agreement.cipher.hasPrefix("TLS_")
            ? .standardName(agreement.cipher) : .otherName(agreement.cipher)
        tls.localCertificate = stream.localCertificate?.der ?? []
        tls.remoteCertificate = stream.peerCertificate?.der ?? []
        return .with { $0.model = .tls(tls) }
    }
}

extension ChannelzV1.Address {
    init(_ address: SocketAddress) {
        self.init()
        switch address {
        case .ipv4(let host, let port):
            self.address = .tcpipAddress(.init(AF_INET, 4, host, port))
        case .ipv6(let host, let port):
            self.address = .tcpipAddress(.init(AF_INET6, 16, host, port))
        case .unix(let path): self.address = .udsAddress(.with { $0.filename = path })
        }
    }
}

extension ChannelzV1.Address.TcpIpAddress {
    fileprivate init(_ family: Int32, _ count: Int, _ host: String, _ port: UInt16) {
        self.init()
        ipAddress = [UInt8](repeating: 0, count: count)
        inet_pton(family, String(host.prefix { $0 != "%" }), &ipAddress)
        self.port = Int32(port)
    }
}
