import Frames
import Loop
import RPC
import RPCHTTP2
import Synchronization
import Testing

/// Our client against servers that misbehave: the cases of grpc/grpc's
/// doc/http2-interop-test-descriptions.md, with servers written by hand.
@Suite("Hostile HTTP/2 servers (official cases)", .timeLimit(.minutes(5)))
struct HostileServerTests {
    private static let method = MethodDescriptor(service: "test.T", name: "Echo", kind: .unary)

    /// A channel to a server that runs `serve` for each connection: its number, and it.
    private func channel(
        settings: [(UInt16, UInt32)] = [],
        _ serve: @escaping @Sendable (Int, ScriptedServer) async -> Void
    ) async throws -> HTTP2Channel {
        let count = Atomic<Int>(0)
        let listener = try await Listener.bind(
            .ipv4(host: "127.0.0.1", port: 0), on: EventLoop(name: "hostile")
        ) { socket in
            let peer = FramePeer(socket, readsPreface: true)
            let number = count.add(1, ordering: .relaxed).oldValue
            Task { await serve(number, ScriptedServer(peer, settings: settings)) }
        }
        return try HTTP2Channel(target: "\(listener.address)", loop: EventLoop(name: "client"))
    }

    private func call(_ channel: HTTP2Channel) async throws -> [UInt8] {
        try await channel.unary(
            HostileServerTests.method, [7], options: .timeout(.seconds(60)))
    }

    @Test(
        "RST_STREAM with code 0 after headers, during data, after data: the call fails",
        arguments: ["rst_after_header", "rst_during_data", "rst_after_data"])
    func reset(name: String) async throws {
        let channel = try await channel { _, server in
            while let stream = await server.request() {
                let body = ScriptedServer.body(stream)
                let count =
                    switch name {
                    case "rst_after_header": 0
                    case "rst_during_data": body.count / 2
                    default: body.count
                    }
                server.send(
                    [ScriptedServer.headers(stream)] + body.prefix(count)
                        + [Frame.reset(stream, 0)])
            }
        }
        // The second shows that the connection is still good.
        for _ in 0..<2 {
            let error = await #expect(throws: RPCError.self) { _ = try await call(channel) }
            #expect(error?.code == .internalError)
            #expect(error?.message == "the server ended the stream without a status")
        }
    }

    @Test("goaway: the next call takes a new connection, and nobody notices")
    func goaway() async throws {
        let connections = Atomic<Int>(0)
        let channel = try await channel { number, server in
            connections.store(number + 1, ordering: .relaxed)
            while let stream = await server.request() {
                let goaway = Frame(kind: .goaway, payload: Frame.big(stream) + Frame.big(0))
                server.send((number == 0 ? [goaway] : []) + ScriptedServer.answer(stream))
            }
        }
        for _ in 0..<2 { #expect(try await call(channel) == ScriptedServer.large) }
        #expect(connections.load(ordering: .relaxed) == 2)
    }

    @Test("ping: pings before and after headers and data are all acknowledged")
    func ping() async throws {
        let acknowledged = Mutex<[UInt8]>([])
        let channel = try await channel { _, server in
            func ping(_ number: UInt8) -> Frame {
                Frame(kind: .ping, payload: [UInt8](repeating: number, count: 8))
            }
            guard let stream = await server.request() else { return }
            server.send(
                [ping(1), ScriptedServer.headers(stream), ping(2)] + ScriptedServer.body(stream)
                    + [ping(3)])
            while acknowledged.withLock({ $0.count }) < 3, let frame = await server.next() {
                guard frame.kind == .ping, frame.flags == Frame.ack else { continue }
                acknowledged.withLock { $0 += frame.payload.prefix(1) }
            }
            server.send([ScriptedServer.trailers(stream)])
        }
        #expect(try await call(channel) == ScriptedServer.large)
        #expect(acknowledged.withLock { $0 } == [1, 2, 3])
    }

    @Test("max_streams: with a limit of one, ten calls at once go one after the other")
    func maxStreams() async throws {
        let worst = Atomic<Int>(0)
        let channel = try await channel(settings: [(3, 1)]) { _, server in
            var open = 0
            while let frame = await server.next() {
                if frame.kind == .headers { open += 1 }
                worst.max(open, ordering: .relaxed)
                guard frame.kind == .data, frame.flags & Frame.endStream != 0 else { continue }
                open -= 1
                server.send(ScriptedServer.answer(frame.stream))
            }
        }
        #expect(try await call(channel) == ScriptedServer.large)
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<10 { group.addTask { try await call(channel) } }
            for try await answer in group { #expect(answer == ScriptedServer.large) }
        }
        #expect(worst.load(ordering: .relaxed) == 1)
    }

    @Test(
        "data_frame_padding, no_df_padding_sanity_test: five octets a frame, 255 of padding or none",
        arguments: [0, 255])
    func padding(count: Int) async throws {
        let channel = try await channel { _, server in
            guard let stream = await server.request() else { return }
            let tail = [UInt8](repeating: 0, count: count)
            let frames = ScriptedServer.body(stream, size: 5).map { frame in
                guard count > 0 else { return frame }
                return Frame(
                    kind: .data, flags: Frame.padded, stream: stream,
                    payload: [UInt8(count)] + frame.payload + tail)
            }
            server.send([ScriptedServer.headers(stream)])
            if await server.sendInWindows(frames) {
                server.send([ScriptedServer.trailers(stream)])
            }
        }
        #expect(try await call(channel) == ScriptedServer.large)
    }
}
