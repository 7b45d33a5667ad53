import BenchSchema
import Glibc
import HTTP2
import Loop
import RPC
import RPCHTTP2
import TestKit
import Testing

@Suite("HTTP2Channel: connections come and go", .timeLimit(.minutes(5)))
struct ChannelTests {
    private func echo(_ router: Router) {
        router.handle(Methods.unary) { call in
            try call.sendOnly(try await call.receiveOnly())
        }
    }

    @Test("nobody listens: UNAVAILABLE names the target and the system's error, at once")
    func refused() async throws {
        let channel = try HTTP2Channel(target: "127.0.0.1:1", loop: EventLoop(name: "client"))
        for _ in 0..<2 {
            let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
            #expect(error?.code == .unavailable)
            #expect(error?.message == "no connection to the server")
            #expect(error?.cause?.contains("127.0.0.1:1") == true)
            #expect(error?.cause?.contains("ECONNREFUSED") == true)
            #expect(error?.description.contains("ECONNREFUSED") == true)
        }
    }

    @Test("what a handler lets through of its own calls tells nothing of the network behind it")
    func childFailures() async throws {
        let loop = EventLoop(name: "child")
        let dropping = try await RawServer { $0.peer.socket.close() }
        let leaving = try await RawServer {
            $0.peer.goaway(lastStream: 1, debug: "secret.internal says no")
            $0.peer.socket.close()
        }
        let full = ManualResolver()
        var configuration = ChannelConfiguration()
        configuration.maxPendingCalls = 0
        let children = [
            try HTTP2Channel(target: "127.0.0.1:1", loop: loop),
            try HTTP2Channel(target: "ipv4:127.0.0.1:1,127.0.0.1:2", loop: loop),
            try HTTP2Channel(target: "secret.internal.invalid:1", loop: loop),
            try HTTP2Channel(target: "\(dropping.address)", loop: loop),
            try HTTP2Channel(target: "\(leaving.address)", loop: loop),
            HTTP2Channel(
                resolver: full, authority: "secret.internal", loop: loop,
                configuration: configuration),
        ]
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                let child = children[Int(try await call.receiveOnly()[0])]
                try call.sendOnly(try await child.unary(Methods.unary, [1]))
            }
        }
        let channel = try server.channel()
        for index in children.indices {
            let seen = await failure { _ = try await children[index].unary(Methods.unary, [1]) }
            let places = ["127.0.0.1", "secret.internal"]
            #expect(places.contains { seen?.cause?.contains($0) == true }, "\(seen as Any)")
            let told = await failure {
                _ = try await channel.unary(Methods.unary, [UInt8(index)])
            }
            #expect(told?.code == seen?.code)
            for word in places + ["ECONN", "GOAWAY", "EAI_"] {
                #expect(told?.description.contains(word) == false, "\(told as Any)")
            }
        }
    }

    @Test("waitForReady waits until the server is there; a UNIX path as target")
    func waitForReady() async throws {
        let path = "/tmp/janji-rpc-\(getpid())-wait.sock"
        unlink(path)
        var configuration = ChannelConfiguration()
        configuration.firstBackoff = .milliseconds(50)
        let channel = try HTTP2Channel(
            target: "unix:\(path)", loop: EventLoop(name: "client"), configuration: configuration)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code == .unavailable)
        async let answer = channel.unary(
            Methods.unary, [4], options: CallOptions(waitForReady: true))
        try await channel.loop.sleep(for: .milliseconds(120))
        let server = try await TestServer(on: .unix(path: path)) { echo($0) }
        #expect(try await answer == [4])
        _ = await server.server.drain(grace: .zero)
    }

    @Test("the peer's stream limit is respected: the rest waits")
    func streamLimit() async throws {
        let configuration = ServerConfiguration(maxConcurrentStreams: 3)
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                try await call.loop.sleep(for: .milliseconds(5))
                try call.sendOnly([1])
            }
        }
        let channel = try server.channel()
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<40 { group.addTask { try await channel.unary(Methods.unary, [1]) } }
            for try await answer in group { #expect(answer == [1]) }
        }
    }

    @Test("drain: the running call finishes, the report counts it, the next call is refused")
    func drain() async throws {
        let started = Signal<Bool>()
        let mayEnd = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                await started.set(true)
                _ = try await mayEnd.wait()
                try call.sendOnly([1])
            }
        }
        let channel = try server.channel()
        async let answer = channel.unary(Methods.unary, [1])
        _ = try await started.wait()
        async let drained = server.server.drain(grace: .seconds(60))
        // UNIMPLEMENTED while the connection is open to calls; UNAVAILABLE behind its GOAWAY, which
        // is sent once what runs is counted.
        let unknown = MethodDescriptor(service: "test.T", name: "No", kind: .unary)
        try #require(
            await eventually {
                await failure { _ = try await channel.unary(unknown, [1]) }?.code == .unavailable
            })
        await mayEnd.set(true)
        let report = await drained
        #expect(try await answer == [1])
        #expect(report.connections == 1)
        #expect(report.running.map(\.method) == ["/test.T/Unary"])
        #expect(report.cancelled.isEmpty)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code == .unavailable)
    }

    @Test("drain: after the grace the rest is cancelled and counted")
    func drainGrace() async throws {
        let started = Signal<Bool>()
        let ended = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                await started.set(true)
                try? await call.loop.sleep(for: .seconds(30))
                await ended.set(call.context.isCancelled)
            }
        }
        let channel = try server.channel()
        async let error = failure { _ = try await channel.unary(Methods.unary, [1]) }
        _ = try await started.wait()
        let report = await server.server.drain(grace: .milliseconds(100))
        #expect(report.cancelled.map(\.method) == ["/test.T/Unary"])
        #expect(report.cancelled.first?.age ?? .zero >= .milliseconds(90))
        #expect(await error?.code == .unavailable)
        #expect(try await ended.wait())
    }

    @Test("a new connection after the old one was lost")
    func reconnects() async throws {
        let first = try await RawServer(on: .kept()) { _ in }
        let address = first.address
        let channel = try HTTP2Channel(target: "\(address)", loop: EventLoop(name: "client"))
        async let lost = failure { _ = try await channel.unary(Methods.unary, [1]) }
        _ = try await first.received(1)
        try await first.kill()
        let error = await lost
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("lost the connection") == true)
        let second = try await RawServer(on: address) { $0.answer($0.message) }
        #expect(try await channel.unary(Methods.unary, [2]) == [2])
        #expect(try await second.connections == 1)
    }

    @Test("REFUSED_STREAM is retried unseen; a reset after the answer began is not")
    func transparentRetry() async throws {
        let loop = EventLoop(name: "raw")
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            socket in
            guard let peer = try? RawPeer(socket, .server) else { return }
            peer.onRequest = { number, stream in
                if number < 2 { return stream.reset(.refusedStream) }
                let headers = HTTP2Fields()
                headers.append(":status", "200")
                headers.append("content-type", "application/grpc")
                peer.session?.respond(stream, headers)
                if number > 2 {
                    peer.flush()
                    return stream.reset(.refusedStream)
                }
                _ = stream.body.withUnsafeBytes { stream.write($0) }
                let trailers = HTTP2Fields()
                trailers.append("grpc-status", "0")
                stream.endBody(trailers: trailers)
            }
        }
        let channel = try HTTP2Channel(
            target: "\(listener.address)", loop: EventLoop(name: "client"))
        #expect(try await channel.unary(Methods.unary, [8, 9]) == [8, 9])
        let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(error?.code == .unavailable)
        #expect(error?.cause?.contains("REFUSED_STREAM") == true)
        await listener.close()
    }

    @Test("a client that goes away mid-call cancels its handlers")
    func clientGone() async throws {
        let started = Signal<Bool>()
        let ended = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                await started.set(true)
                try? await call.loop.sleep(for: .seconds(30))
                await ended.set(call.context.isCancelled)
            }
        }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        async let answer = peer.request()
        _ = try await started.wait()
        try await peer.socket.loop.submit { peer.socket.close() }
        #expect(try await ended.wait())
        _ = try await answer
    }

    @Test("a call with a deadline does not outwait it for a connection")
    func deadlineWhileConnecting() async throws {
        let channel = try HTTP2Channel(
            target: "127.0.0.1:1", loop: EventLoop(name: "client"))
        var patient = CallOptions.timeout(.milliseconds(150))
        patient.waitForReady = true
        let options = patient
        let error = await failure {
            _ = try await channel.unary(Methods.unary, [1], options: options)
        }
        #expect(error?.code == .deadlineExceeded)
    }
}
