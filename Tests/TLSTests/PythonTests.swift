import Certificates
import Glibc
import Loop
import RPC
import RPCHTTP2
import TLS
import Testing

/// grpcio, which has a TLS of its own. Needs `JANJI_PYTHON`, a Python with grpcio.
private let python = getenv("JANJI_PYTHON").map { String(cString: $0) }

@Suite("TLS: Python grpcio as peer", .timeLimit(.minutes(5)), .enabled(if: python != nil))
struct PythonTests {
    private let files = Certificates.shared

    private static let client = """
        import sys, grpc
        target, folder = sys.argv[1:]
        read = lambda name: open(folder + '/' + name, 'rb').read()
        ours = dict(private_key=read('client.key'), certificate_chain=read('client.pem'))
        def call(options=[], **parts):
            credentials = grpc.ssl_channel_credentials(**parts)
            with grpc.secure_channel(target, credentials, options=options) as channel:
                return channel.unary_unary('/test.T/Who')(b'', timeout=60)
        assert call(root_certificates=read('ca.pem'), **ours).startswith(b'CN=testclient')
        for parts in [dict(root_certificates=read('ca.pem')),
                      dict(root_certificates=read('other-ca.pem'), **ours)]:
            try:
                call(**parts)
                sys.exit(3)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        """

    @Test("as a client, with its certificate; without one, and without trust, it stays outside")
    func asClient() async throws {
        let server = try await SecureServer(
            files.server("localhost") {
                $0.clientCertificate = .required
                $0.authorities = files.authority()
            })
        let target = "localhost:\(server.address.port ?? 0)"
        let child = try await ChildProcess.start(
            executable: python ?? "", arguments: ["-c", Self.client, target, files.directory],
            on: server.loop)
        #expect(await child.waitForExit() == 0)
        #expect(await !server.log.line(with: "showed no certificate").isEmpty)
    }

    private static let server = """
        import sys, grpc
        from concurrent import futures
        folder = sys.argv[1]
        read = lambda name: open(folder + '/' + name, 'rb').read()
        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                return grpc.unary_unary_rpc_method_handler(lambda request, context:
                    context.auth_context()['x509_common_name'][0] + b' ' + request)
        server = grpc.server(futures.ThreadPoolExecutor(), handlers=[Handler()])
        port = server.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials(
            [(read('server1.key'), read('server1.pem'))], read('ca.pem'), True))
        server.start()
        print(port, flush=True)
        server.wait_for_termination()
        """

    @Test("as a server that wants a certificate and has one for another name")
    func asServer() async throws {
        let loop = EventLoop(name: "test")
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw LoopError.cancelled("pipe") }
        let (output, input) = (pipes[0], pipes[1])
        let child = try await ChildProcess.start(
            executable: python ?? "", arguments: ["-c", Self.server, files.directory],
            output: input, on: loop)
        defer { kill(child.pid, SIGKILL) }
        close(input)
        let line = try await loop.blocking {
            var bytes = [UInt8](repeating: 0, count: 100)
            return String(decoding: bytes[..<max(0, read(output, &bytes, 100))], as: UTF8.self)
        }
        let target = "127.0.0.1:\(line.prefix { $0.isNumber })"
        func channel(_ change: (inout TLSClientConfiguration) -> Void) throws -> HTTP2Channel {
            var configuration = ChannelConfiguration()
            configuration.tls = try files.client(change: change)
            return try HTTP2Channel(target: target, loop: loop, configuration: configuration)
        }
        let known = try channel {
            $0.identity = files.identity("client")
            $0.serverName = "foo.test.google.fr"
        }
        let answer = try await known.unary(Methods.echo, Array("hello".utf8))
        #expect(String(decoding: answer, as: UTF8.self) == "testclient hello")
        let bare = try channel { $0.serverName = "foo.test.google.fr" }
        #expect(await failure { _ = try await bare.unary(Methods.echo, [1]) }?.code == .unavailable)
        let misled = try channel { $0.identity = files.identity("client") }
        let error = await failure { _ = try await misled.unary(Methods.echo, [1]) }
        #expect(error?.cause?.contains("not for 127.0.0.1") == true, "\(error as Any)")
    }
}
