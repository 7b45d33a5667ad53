import Certificates
import Loop
import RPC
import RPCHTTP2
import TLS
import Telemetry
import Testing

@testable import janji

@Suite(.timeLimit(.minutes(5))) struct EncryptionTests {
    private let files = Certificates.shared
    private static let echo = MethodDescriptor(service: "test.T", name: "Echo", kind: .unary)

    private var settings: [String: String] {
        [
            "JANJI_TLS_CERTIFICATE": files.path("localhost.pem"),
            "JANJI_TLS_KEY": files.path("localhost.key"), "JANJI_TLS_CA": files.path("ca.pem"),
        ]
    }

    private func port(
        _ encryption: Encryption, _ role: Role, loop: EventLoop
    ) async throws -> SharedPort {
        let router = Router()
        router.handle(Self.echo) { call in try call.sendOnly(try await call.receiveOnly()) }
        let quiet = Logger(label: "test", level: .error)
        return try await SharedPort(
            host: "127.0.0.1", port: 0, setting: .port, loop: loop,
            rpc: RPCServer(router: router, logger: quiet), tls: encryption.server(role),
            logger: quiet,
            http: { stream, bytes in
                stream.write(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + bytes)
                stream.shutdown()
            })
    }

    @Test func `gRPC and HTTP/1 share a port over TLS`() async throws {
        let loop = EventLoop(name: "test")
        let encryption = try Encryption(Configuration(environment: settings))
        let port = try await port(encryption, .gateway, loop: loop)
        let channel = try HTTP2Channel(
            target: "\(port.address)", loop: loop, configuration: encryption.channel)
        #expect(try await channel.unary(Self.echo, [7]) == [7])

        let socket = try await StreamSocket.connect(to: port.address, on: loop)
        let (text, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let tls = try TLSStream(
            socket, files.client { $0.applicationProtocols = ["http/1.1"] }, host: "127.0.0.1")
        try await loop.submit {
            tls.setHandler(Reader(tls, continuation))
            tls.startReading()
            tls.write(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        }
        var bytes: [UInt8] = []
        for await part in text { bytes += part }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        await port.close()
        channel.close()
    }

    @Test func `services want a certificate of their callers, the gateway does not`() async throws {
        let loop = EventLoop(name: "test")
        let encryption = try Encryption(Configuration(environment: settings))
        for (role, isOpen) in [(Role.gateway, true), (.booking, false)] {
            let port = try await port(encryption, role, loop: loop)
            var configuration = ChannelConfiguration()
            configuration.tls = try files.client()
            let stranger = try HTTP2Channel(
                target: "\(port.address)", loop: loop, configuration: configuration)
            #expect(((try? await stranger.unary(Self.echo, [1])) == [1]) == isOpen)
            let neighbour = try HTTP2Channel(
                target: "\(port.address)", loop: loop, configuration: encryption.channel)
            #expect(try await neighbour.unary(Self.echo, [2]) == [2])
            await port.close()
            stranger.close()
            neighbour.close()
        }
    }

    @Test func `settings that cannot be used are named`() throws {
        for (change, part) in [
            (["JANJI_TLS_KEY": ""], "JANJI_TLS_KEY is needed"),
            (["JANJI_TLS_KEY": files.path("ca.key")], "does not belong"),
            (["JANJI_TLS_CERTIFICATE": ""], "JANJI_TLS_KEY has no use without"),
            (["JANJI_TLS_CA": "/nowhere"], "cannot read /nowhere"),
        ] {
            let settings = settings.merging(change) { $1 }
            let error = #expect(throws: ConfigurationError.self) {
                try Encryption(Configuration(environment: settings))
            }
            #expect(error?.description.contains(part) == true, "\(error as Any)")
        }
    }
}

private final class Reader: StreamSocketHandler {
    private let stream: TLSStream
    private let bytes: AsyncStream<[UInt8]>.Continuation

    init(_ stream: TLSStream, _ bytes: AsyncStream<[UInt8]>.Continuation) {
        self.stream = stream
        self.bytes = bytes
    }

    func socketDidRead(_ more: UnsafeRawBufferPointer) { bytes.yield(Array(more)) }
    func socketDidEnd() { stream.close() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) { bytes.finish() }
}
