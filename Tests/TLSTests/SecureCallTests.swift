import BenchSchema
import Certificates
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Synchronization
import TLS
import Telemetry
import Testing

@Suite("gRPC over TLS", .timeLimit(.minutes(5))) struct SecureCallTests {
    private let files = Certificates.shared

    @Test("unary, streams, and who the client is (mTLS)")
    func calls() async throws {
        let server = try await SecureServer(
            files.server("localhost") {
                $0.clientCertificate = .required
                $0.authorities = files.authority()
            })
        let channel = try server.channel(files.client { $0.identity = files.identity("client") })
        let bench = Bench.BenchClient(channel)
        var message = Bench.Msg()
        message.n = 500
        #expect(try await bench.echo(message).n == 500)
        var count = 0
        for try await _ in try await bench.stream(message) { count += 1 }
        #expect(count == 500)
        let who = try await channel.unary(Methods.who, [])
        #expect(
            String(decoding: who, as: UTF8.self) == "CN=testclient,O=Janji spiffe://test/client")
        channel.close()
        _ = await server.server.drain(grace: .zero)
    }

    @Test("channelz tells the suite and both certificates")
    func channelz() async throws {
        let registry = ChannelzRegistry()
        let server = try await SecureServer(
            files.server("localhost") {
                $0.clientCertificate = .required
                $0.authorities = files.authority()
            }, channelz: registry
        ) { $0.register(ChannelzService(registry)) }
        let channel = try server.channel(files.client { $0.identity = files.identity("client") })
        let client = ChannelzV1.ChannelzClient(channel)
        let id = try #require(try await client.getServers(.init()).server.first?.ref?.serverId)
        let sockets = try await client.getServerSockets(.with { $0.serverId = id }).socketRef
        let ref = try #require(sockets.first)
        let socket = try await client.getSocket(.with { $0.socketId = ref.socketId }).socket
        guard case .tls(let tls)? = socket?.security?.model else {
            Issue.record("no TLS: \(socket as Any)")
            return
        }
        guard case .standardName(let suite)? = tls.cipherSuite else {
            Issue.record("no standard name: \(tls)")
            return
        }
        #expect(suite.hasPrefix("TLS_"))
        #expect(
            tls.localCertificate
                == (try TLSCertificate(.file(files.directory + "/localhost.pem")).der))
        #expect(
            tls.remoteCertificate
                == (try TLSCertificate(.file(files.directory + "/client.pem")).der))
    }

    @Test("nobody without a certificate gets in: both ends name the reason")
    func noCertificate() async throws {
        let server = try await SecureServer(
            files.server("localhost") {
                $0.clientCertificate = .required
                $0.authorities = files.authority()
            })
        let channel = try server.channel(files.client())
        let error = await failure { _ = try await channel.unary(Methods.echo, [1]) }
        #expect(error?.code == .unavailable)
        #expect(
            error?.cause?.contains("it wants a certificate from us") == true, "\(error as Any)")
        #expect(await server.log.line(with: "showed no certificate").contains("127.0.0.1:"))
    }

    @Test("TLS on one side only: both ends say so")
    func onlyOneSide() async throws {
        let secure = try await SecureServer(files.server("localhost"))
        let plain = try HTTP2Channel(target: "\(secure.address)", loop: EventLoop(name: "client"))
        let error = await failure { _ = try await plain.unary(Methods.echo, [1]) }
        #expect(
            error?.cause?.contains("the server speaks TLS on this port") == true, "\(error as Any)"
        )
        #expect(await !secure.log.line(with: "client speaks plaintext HTTP/2").isEmpty)

        let open = try await SecureServer(nil)
        let channel = try open.channel(files.client())
        let other = await failure { _ = try await channel.unary(Methods.echo, [1]) }
        #expect(
            other?.cause?.contains("plaintext HTTP/2 on this port, not TLS") == true,
            "\(other as Any)")
        #expect(await !open.log.line(with: "client speaks TLS, this port is plaintext").isEmpty)
    }
}
