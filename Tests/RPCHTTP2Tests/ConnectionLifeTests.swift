import Environment
import Frames
import Loop
import RPC
import Telemetry
import TestKit
import Testing

@testable import RPCHTTP2

@Suite("Server connections: idle time, age, keepalive", .timeLimit(.minutes(5)))
struct ConnectionLifeTests {
    private let call: [Frame] = [
        .request(1, path: "/test.T/Unary", extra: [("content-type", "application/grpc")]),
        .data(1, [0, 0, 0, 0, 0], end: true),
    ]

    /// The two GOAWAYs: the first allows everything, the second names the last stream and why.
    private func expectGracefulEnd(
        of peer: FramePeer, lastStream: UInt32, _ reason: String
    ) async throws {
        let notice = await peer.next(.goaway)
        #expect(notice?.number == 0x7fff_ffff)
        let final = await peer.next(.goaway)
        #expect(final?.number == lastStream)
        #expect(final?.secondNumber == 0)
        #expect(final?.debugText == reason)
    }

    @Test("max_idle: after the last call, two GOAWAYs and the end; the next call reconnects")
    func idle() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionIdle = .milliseconds(60)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server, first: call)
        #expect(await peer.next(.headers) != nil)
        try await expectGracefulEnd(of: peer, lastStream: 1, "max_idle")
        #expect(await peer.next { _ in false } == nil)
        #expect(
            try await eventually {
                bed.value("grpc_server_connections_closed_total{cause=\"max_idle\"}") >= 2
            })
        #expect(bed.value("grpc_server_goaways_sent_total{cause=\"max_idle\"}") >= 1)
        try await bed.honestIsServed()
    }

    @Test("a call keeps its connection from being idle")
    func busyIsNotIdle() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionIdle = .milliseconds(500)
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                try await call.loop.sleep(for: .milliseconds(1200))
                try call.sendOnly([1])
            }
        }
        let peer = try await FramePeer.connect(to: server, first: call)
        let first = await peer.next { $0.kind == .goaway || $0.kind == .data }
        #expect(first?.kind == .data)
    }

    @Test("max_age: a call that runs finishes; one sent before the second GOAWAY is answered")
    func age() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionAge = .milliseconds(60)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let gRPC = [("content-type", "application/grpc")]
        // On a busy machine the second call may be sent later than the second that the server gives
        // the notice: once more then.
        for _ in 0..<20 {
            let peer = try await FramePeer.connect(to: bed.server, answersPings: false)
            try await peer.send([.request(1, path: "/test.T/Bidi", extra: gRPC)])
            #expect(await peer.next(.goaway)?.number == 0x7fff_ffff)
            // The client has not heard the notice yet.
            var pong = try #require(await peer.next(.ping))
            try await peer.send([
                .request(3, path: "/test.T/Unary", extra: gRPC),
                .data(3, [0, 0, 0, 0, 0], end: true),
            ])
            let answer = await peer.next {
                $0.kind == .data && $0.stream == 3 || $0.kind == .goaway
            }
            guard answer?.kind == .data else { continue }
            pong.flags = Frame.ack
            try await peer.send([pong])
            let final = await peer.next(.goaway)
            #expect(final?.number == 3)
            #expect(final?.debugText == "max_age")
            try await peer.send([.data(1, [], end: true)])
            #expect(await peer.next(.headers, stream: 1) != nil)
            #expect(await peer.next { _ in false } == nil)
            return try await bed.honestIsServed()
        }
        Issue.record("no second call was sent within a second of the notice")
    }

    @Test("max_age_grace: what runs on after it is cancelled with UNAVAILABLE")
    func ageGrace() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionAge = .milliseconds(40)
        configuration.maxConnectionAgeGrace = .milliseconds(40)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let call = try await bed.honest.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        let error = await failure { _ = try await call.receive() }
        #expect(error?.code == .unavailable)
        #expect(try await eventually { bed.handlers.now == 0 })
        try await bed.honestIsServed()
    }

    @Test("keepalive: who answers pings lives")
    func keepaliveAnswered() async throws {
        var configuration = ServerConfiguration()
        configuration.keepaliveTime = .milliseconds(40)
        let bed = try await HostileBed(configuration)
        let living = try await FramePeer.connect(to: bed.server)
        for _ in 0..<3 {
            #expect(await living.next(.ping) != nil, "\(bed.metrics.render())")
        }
        try await bed.honestIsServed()
    }

    @Test("keepalive: who does not answer is closed")
    func keepaliveUnanswered() async throws {
        var configuration = ServerConfiguration()
        configuration.keepaliveTime = .milliseconds(40)
        configuration.keepaliveTimeout = .milliseconds(40)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let dead = try await FramePeer.connect(to: bed.server, answersPings: false)
        #expect(await dead.next(.ping) != nil)
        #expect(await dead.next { _ in false } == nil)
        // On a busy machine the honest client's answer may be as late, and it reconnects.
        #expect(
            try await eventually {
                bed.value("grpc_server_connections_closed_total{cause=\"keepalive_timeout\"}") >= 1
            })
        try await bed.honestIsServed()
    }

    @Test("drain tells which calls run, and which had to be cancelled")
    func drainReport() async throws {
        let bed = try await HostileBed()
        let call = try await bed.honest.start(
            Methods.bidi, metadata: Metadata(), options: .timeout(.seconds(100)))
        async let error = failure { _ = try await call.receive() }
        #expect(try await eventually { bed.handlers.now == 1 })
        let now = await bed.server.server.runningCalls()
        #expect(now.map(\.method) == ["/test.T/Bidi"])
        let report = await bed.server.server.drain(grace: .milliseconds(50))
        for calls in [report.running, report.cancelled] {
            #expect(calls.map(\.method) == ["/test.T/Bidi"])
            #expect(calls.first?.peer.hasPrefix("127.0.0.1:") == true)
            #expect(calls.first?.deadline?.remaining ?? .zero > .seconds(30))
        }
        #expect(try #require(report.cancelled.first).age >= .milliseconds(50))
        #expect(await error?.code == .unavailable)
        #expect(await error?.message.contains("shutting down") == true)
    }
}
