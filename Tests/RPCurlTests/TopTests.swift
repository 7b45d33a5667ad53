import Environment
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct TopTests {
    private static let python = getenv("JANJI_PYTHON").map { String(cString: $0) }

    /// A server that is listed, and a listed channel to it that has made three calls, one failed,
    /// and keeps one running.
    private func bed(_ body: (Fixture) async throws -> Void) async throws {
        let registry = ChannelzRegistry()
        try await Fixture.with(channelz: registry) { server in
            var configuration = ChannelConfiguration()
            configuration.channelz = registry
            let channel = try HTTP2Channel(
                target: server.address, loop: EventLoop(name: "listed"),
                configuration: configuration)
            let echo = MethodDescriptor(service: "bench.Bench", name: "Echo", kind: .unary)
            let nope = MethodDescriptor(service: "bench.Bench", name: "Nope", kind: .unary)
            let chat = MethodDescriptor(
                service: "bench.Bench", name: "PingPong", kind: .bidirectional)
            for _ in 0..<2 { _ = try await channel.unary(echo, []) }
            _ = try? await channel.unary(nope, [])
            let running = try await channel.start(
                chat, metadata: Metadata(), options: CallOptions())
            try await running.send([])
            _ = try await running.receive()
            try await body(server)
            running.cancel()
            channel.close()
        }
    }

    /// The cells of the first line that begins a table's row with such a cell.
    private func row(_ output: String, with cell: String) -> [Substring] {
        output.split(separator: "\n").map { $0.split(separator: " ") }.first {
            $0.contains { $0 == cell[...] }
        } ?? []
    }

    @Test("one look: servers, connections, channels with their addresses") func once() async throws
    {
        try await bed { server in
            let result = try await server.run("ADDRESS", "top", "-once")
            #expect(result.code == 0, "\(result.notes)")
            let output = result.output
            #expect(output.hasPrefix(server.address + "  "))
            #expect(output.contains("  servers 1  connections 3  channels 1\n"), "\(output)")
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
            let heads = lines.filter { $0.contains("CALLS/S") }
            #expect(heads.count == 3)
            #expect(row(output, with: "PEER").contains("SECURITY"))
            let channel = row(output, with: "READY")
            // CHANNEL STATE TARGET CALLS/S RUNNING STARTED FAILED LAST EVENT
            #expect(
                channel.dropFirst().prefix(6) == ["READY", server.address[...], "-", "1", "4", "1"])
            #expect(channel.last == "READY")
            // The server's end of the listed channel, and the channel's own end.
            let connections = lines.filter { $0.hasSuffix("plaintext") }
            #expect(connections.count == 3)
            #expect(
                connections.filter {
                    $0.split(separator: " ").dropFirst(3).prefix(3) == ["-", "1", "4"]
                }
                .count == 2, "\(output)")
        }
    }

    @Test("as JSON, look after look, with rates; Ctrl-C ends it well") func looks() async throws {
        try await bed { server in
            let running = server.start(
                "-json", "-compact", "ADDRESS", "top", "-interval", "0.02")
            await running.wait(for: "\"look\":3")
            running.interrupt()
            let result = await running.result()
            #expect(result.code == 0, "\(result.notes)")
            let lines = result.output.split(separator: "\n")
            let first = try JSONValue.parse(Array(lines[0].utf8))
            let second = try JSONValue.parse(Array(lines[1].utf8))
            let calls = try #require(first["servers"]?.array?.first?["calls"])
            #expect(calls["per_second"]?.isNull == true)
            let rate = second["servers"]?.array?.first?["calls"]?["per_second"]?.double
            #expect(rate ?? 0 > 0)
            let channel = try #require(second["channels"]?.array?.first)
            #expect(channel["state"] == "READY")
            #expect(channel["calls"]?["started"] == 4)
            #expect(channel["calls"]?["succeeded"] == 2)
            #expect(channel["calls"]?["per_second"]?.double == 0)
            let subchannel = try #require(channel["subchannels"]?.array?.first)
            #expect(subchannel["target"] == .string(server.address))
            let id = try #require(subchannel["id"])
            let connection = try #require(
                second["connections"]?.array?.first { $0["subchannel"] == id })
            #expect(connection["peer"] == .string(server.address))
            #expect(connection["messages"]?["sent"] == 4)
            #expect(connection["security"]?.isNull == true)
        }
    }

    @Test("a server without channelz") func absent() async throws {
        try await Fixture.with { server in
            let result = try await server.run("ADDRESS", "top")
            #expect(result.code == 1)
            #expect(result.notes.contains("no grpc.channelz.v1.Channelz service"))
        }
    }

    @Test("a server that goes away is asked until it is back") func comesBack() async throws {
        let loop = EventLoop(name: "server")
        let path = "/tmp/rpcurl-top-\(getpid()).sock"
        defer { unlink(path) }
        let registry = ChannelzRegistry()
        func serve() async throws -> RPCServer {
            let router = Router()
            router.register(ChannelzService(registry))
            var configuration = ServerConfiguration()
            configuration.channelz = registry
            let server = RPCServer(router: router, configuration: configuration)
            try await server.listen(on: .unix(path: path), loop: loop)
            return server
        }
        let first = try await serve()
        let top = Running(
            ["unix:\(path)", "top", "-interval", "0.05"], standardInput: 0, environment: [:])
        await top.wait(for: "servers 1")
        _ = await first.drain(grace: .zero)
        await top.wait(for: "asking again")
        let second = try await serve()
        await top.wait(for: "servers 2")
        top.interrupt()
        #expect(await top.result().code == 0)
        _ = await second.drain(grace: .zero)
        await loop.stop()
        withExtendedLifetime(first) {}
    }

    @Test("the busiest connections come first; tables are cut; rates count from look to look")
    func order() {
        func sample(_ seconds: UInt64, _ started: [Int64], running: [Int64]) -> TopSample {
            var sample = TopSample(taken: Deadline(nanoseconds: seconds * 1_000_000_000))
            sample.connections = started.indices.map { index in
                TopSample.Connection(
                    id: Int64(index), owner: .server(9), peer: "peer\(index)", local: "",
                    streams: .init(
                        started: started[index], succeeded: started[index] - running[index]),
                    messagesSent: 0, messagesReceived: 0, keepalives: 0, sendWindow: nil,
                    receiveWindow: nil, security: nil)
            }
            return sample
        }
        let report = TopReport(
            sample(12, [50, 70, 10, 90], running: [0, 0, 5, 0]),
            after: sample(10, [10, 50, 10, 90], running: [0, 0, 5, 0]))
        let lines = report.lines("h:1", rows: 3)
        let rows = lines.drop { !$0.contains("PEER") }.dropFirst().map {
            $0.split(separator: " ").dropFirst(2).prefix(3)
        }
        #expect(rows.prefix(3).map(\.first) == ["peer2", "peer0", "peer1"])
        #expect(rows[1].dropFirst().first == "20.0")
        #expect(rows[2].dropFirst().first == "10.0")
        #expect(lines.last == "… and 1 more (-rows N)")
    }

    @Test("names that peers chose do not steer the terminal") func control() {
        var table = TextTable([.init(title: "N", isNumber: true), .init(title: "NAME")])
        table.add(["10", "a\u{1B}[2Jb\nc"])
        #expect(table.lines == [" N  NAME", "10  a?[2Jb?c"])
    }

    private static let server = """
        import sys, grpc
        from concurrent import futures
        from grpc_channelz.v1 import channelz
        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                if details.method == '/test.T/Echo':
                    return grpc.unary_unary_rpc_method_handler(lambda request, context: request)
        server = grpc.server(futures.ThreadPoolExecutor(), handlers=[Handler()])
        channelz.add_channelz_servicer(server)
        port = server.add_insecure_port('127.0.0.1:0')
        server.start()
        channel = grpc.insecure_channel(
            '127.0.0.1:%d' % port, options=[('grpc.enable_http_proxy', 0)])
        for _ in range(3):
            assert channel.unary_unary('/test.T/Echo')(b'x', timeout=60) == b'x'
        print('port=%d.' % port, flush=True)
        server.wait_for_termination(600)
        """

    @Test("grpcio's server", .enabled(if: python != nil)) func grpcio() async throws {
        let loop = EventLoop(name: "child")
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        defer { close(ends[0]) }
        let child = try await ChildProcess.start(
            executable: Self.python ?? "", arguments: ["-c", Self.server], environment: nil,
            user: nil, output: ends[1], on: loop)
        close(ends[1])
        let descriptor = ends[0]
        let port = try await loop.blocking {
            // Whatever else it says comes first.
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 256)
            while !text.hasSuffix(".\n"), case let count = read(descriptor, &buffer, buffer.count),
                count > 0
            {
                text += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return String(text.split(separator: "=").last?.dropLast(2) ?? "")
        }
        let result = try await Fixture.run(["-json", "127.0.0.1:\(port)", "top", "-once"])
        child.signal(SIGKILL)
        _ = await child.waitForExit()
        #expect(result.code == 0, "\(result.notes)")
        let json = try JSONValue.parse(Array(result.output.utf8))
        #expect(json["servers"]?.array?.count == 1)
        let channel = try #require(json["channels"]?.array?.first)
        #expect(channel["target"]?.string?.contains(port) == true)
        #expect(channel["calls"]?["succeeded"] == 3)
        let connections = try #require(json["connections"]?.array)
        // Of the channel both ends, and ours.
        #expect(connections.count == 3)
        #expect(connections.contains { $0["peer"] == .string("127.0.0.1:\(port)") })
    }
}
