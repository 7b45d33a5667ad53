import BenchSchema
import Compression
import Environment
import Glibc
import Loop
import RPC
import RPCHTTP2
import Testing

/// grpcio as the client. Needs `JANJI_PYTHON`, a Python with grpcio; without it the test is off.
private let python = getenv("JANJI_PYTHON").map { String(cString: $0) }

@Suite("gRPC over HTTP/2: Python grpcio as peer", .timeLimit(.minutes(5)))
struct PythonPeerTests {
    private static let script = """
        import sys, grpc
        ch = grpc.insecure_channel(sys.argv[1])
        same = lambda x: x
        assert ch.unary_unary('/bench.Bench/Echo')(b'\\n\\x03abc', timeout=60) == b'\\n\\x03abc'
        stream = ch.unary_stream('/bench.Bench/Stream')
        assert len(list(stream(b'\\x10\\xe8\\x07', timeout=60))) == 1000
        sent = [b'\\x10' + bytes([i]) for i in range(1, 50)]
        assert list(ch.stream_stream('/bench.Bench/PingPong')(iter(sent), timeout=60)) == sent
        try:
            ch.unary_unary('/bench.Bench/Nope')(b'', timeout=60)
            sys.exit(3)
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNIMPLEMENTED
        """

    private static let compression = """
        import sys, grpc
        big = b'\\x0a\\x88\\x27' + b'z' * 5000
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            ch = grpc.insecure_channel(sys.argv[1], compression=algorithm)
            assert ch.unary_unary('/bench.Bench/Echo')(big, timeout=60) == big
            assert ch.unary_unary('/bench.Bench/Echo')(b'', timeout=60) == b''
            sent = [big, b'\\x10\\x01', big]
            assert list(ch.stream_stream('/bench.Bench/PingPong')(iter(sent), timeout=60)) == sent
        """

    /// Counts what came compressed, so that the test cannot pass without compression.
    private actor Seen {
        var compressed = 0
        func add() { compressed += 1 }
    }

    @Test("gzip and deflate both ways", .enabled(if: python != nil))
    func compressed() async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = .gzip
        let seen = Seen()
        let server = try await TestServer(configuration) { router in
            for name in ["Echo", "PingPong"] {
                let method = MethodDescriptor(
                    service: "bench.Bench", name: name,
                    kind: name == "Echo" ? .unary : .bidirectional)
                router.handle(method) { call in
                    while let message = try await call.receive() {
                        if call.context.requestIsCompressed { await seen.add() }
                        try await call.send(message)
                    }
                }
            }
        }
        let child = try await ChildProcess.start(
            executable: python ?? "",
            arguments: ["-c", PythonPeerTests.compression, server.target],
            environment: nil, user: nil, output: nil, on: server.loop)
        #expect(await child.waitForExit() == 0)
        #expect(await seen.compressed >= 6)
    }

    private static let channelz = """
        import sys, grpc
        from grpc_channelz.v1 import channelz_pb2 as m, channelz_pb2_grpc
        ch = grpc.insecure_channel(sys.argv[1], options=[('grpc.enable_http_proxy', 0)])
        assert ch.unary_unary('/bench.Bench/Echo')(b'\\n\\x03abc', timeout=60) == b'\\n\\x03abc'
        ask = channelz_pb2_grpc.ChannelzStub(ch)
        page = ask.GetServers(m.GetServersRequest(), timeout=60)
        assert page.end and len(page.server) == 1, page
        server = page.server[0]
        assert (server.data.calls_started, server.data.calls_succeeded) == (2, 1), server
        again = ask.GetServer(m.GetServerRequest(server_id=server.ref.server_id), timeout=60)
        assert again.server.ref == server.ref
        listener = ask.GetSocket(
            m.GetSocketRequest(socket_id=server.listen_socket[0].socket_id), timeout=60).socket
        assert listener.local.tcpip_address.ip_address == b'\\x7f\\0\\0\\1', listener
        assert str(listener.local.tcpip_address.port) == sys.argv[1].split(':')[1]
        refs = ask.GetServerSockets(
            m.GetServerSocketsRequest(server_id=server.ref.server_id), timeout=60).socket_ref
        assert len(refs) == 1, refs
        socket = ask.GetSocket(m.GetSocketRequest(socket_id=refs[0].socket_id), timeout=60).socket
        assert socket.data.streams_succeeded == 5 and socket.data.streams_started == 6, socket
        assert socket.data.messages_received == 6 and socket.data.messages_sent == 5, socket
        assert socket.data.last_message_received_timestamp.seconds > 1700000000, socket
        assert ask.GetTopChannels(m.GetTopChannelsRequest(), timeout=60).end
        for call, request in [(ask.GetSocket, m.GetSocketRequest(socket_id=10**9)),
                              (ask.GetChannel, m.GetChannelRequest(channel_id=10**9)),
                              (ask.GetSubchannel, m.GetSubchannelRequest(subchannel_id=10**9))]:
            try:
                call(request, timeout=60)
                sys.exit(3)
            except grpc.RpcError as e:
                assert e.code() == grpc.StatusCode.NOT_FOUND, e
        """

    @Test("grpcio's channelz client", .enabled(if: python != nil))
    func channelz() async throws {
        let registry = ChannelzRegistry()
        var configuration = ServerConfiguration()
        configuration.channelz = registry
        let server = try await TestServer(configuration) { router in
            BenchMethods().register(in: router)
            router.register(ChannelzService(registry))
        }
        let child = try await ChildProcess.start(
            executable: python ?? "", arguments: ["-c", PythonPeerTests.channelz, server.target],
            environment: nil, user: nil, output: nil, on: server.loop)
        #expect(await child.waitForExit() == 0)
    }

    @Test("unary, streaming, bidirectional and UNIMPLEMENTED", .enabled(if: python != nil))
    func grpcio() async throws {
        let server = try await TestServer { BenchMethods().register(in: $0) }
        let child = try await ChildProcess.start(
            executable: python ?? "", arguments: ["-c", PythonPeerTests.script, server.target],
            environment: nil, user: nil, output: nil, on: server.loop)
        #expect(await child.waitForExit() == 0)
    }

    private static let compressingServer = """
        import sys, grpc
        from concurrent import futures
        echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
        handler = grpc.method_handlers_generic_handler('test.T', {'Unary': echo})
        server = grpc.server(
            futures.ThreadPoolExecutor(1), handlers=[handler],
            compression=getattr(grpc.Compression, sys.argv[2]))
        server.add_insecure_port('unix:' + sys.argv[1])
        server.start()
        server.wait_for_termination()
        """

    @Test(
        "a grpcio server that compresses: channels say by themselves that it may",
        .enabled(if: python != nil), arguments: ["Gzip", "Deflate"])
    func compressingServer(algorithm: String) async throws {
        let loop = EventLoop(name: "grpcio")
        let path = "/tmp/janji-grpcio-\(getpid())-\(algorithm).sock"
        let child = try await ChildProcess.start(
            executable: python ?? "",
            arguments: ["-c", PythonPeerTests.compressingServer, path, algorithm],
            environment: nil, user: nil, output: nil, on: loop)
        defer {
            child.signal(SIGKILL)
            unlink(path)
        }
        var configuration = ChannelConfiguration()
        configuration.firstBackoff = .milliseconds(50)
        let channel = try HTTP2Channel(
            target: "unix:\(path)", loop: loop, configuration: configuration)
        let call = try await channel.start(
            Methods.unary, metadata: Metadata(),
            options: CallOptions(deadline: .after(.seconds(120)), waitForReady: true))
        let large = [UInt8](repeating: 7, count: 5000)
        try await call.send(large)
        call.finish()
        #expect(try await call.receive() == large)
        #expect(await call.responseIsCompressed)
    }
}
