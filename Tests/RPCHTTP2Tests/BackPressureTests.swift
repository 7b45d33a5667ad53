import Loop
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

@Suite("gRPC over HTTP/2: back-pressure end to end", .timeLimit(.minutes(1)))
struct BackPressureTests {
    private static let chunk = [UInt8](repeating: 5, count: 10_000)

    @Test("a reader that does not read stops the handler within the windows' size")
    func slowReader() async throws {
        let sent = Mutex(0)
        let server = try await TestServer { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                for _ in 0..<10_000 {
                    try await call.send(BackPressureTests.chunk)
                    sent.withLock { $0 += 1 }
                }
            }
        }
        let channel = try server.channel()
        let call = try await channel.start(
            Methods.server, metadata: Metadata(), options: CallOptions())
        try await call.send([1])
        call.finish()
        _ = try await call.receive()
        // 100 MB are on offer; 1 MiB stream window + buffers may be under way.
        var last = -1
        while true {
            let now = sent.withLock { $0 }
            if now == last { break }
            last = now
            try await channel.loop.sleep(for: .milliseconds(100))
        }
        #expect(last * 10_000 < 2_000_000)
        var received = 1
        while try await call.receive() != nil { received += 1 }
        #expect(received == 10_000)
    }

    @Test("a handler that does not read stops the client; another call goes on meanwhile")
    func slowHandler() async throws {
        let go = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.client) { call in
                _ = try await go.wait()
                var count = 0
                while let message = try await call.receive() { count += message.count }
                try call.sendOnly(Array("\(count)".utf8))
            }
            router.handle(Methods.unary) { call in
                try call.sendOnly(try await call.receiveOnly())
            }
        }
        let channel = try server.channel()
        let call = try await channel.start(
            Methods.client, metadata: Metadata(), options: CallOptions())
        let sent = Mutex(0)
        let sender = Task {
            for _ in 0..<1000 {
                try await call.send(BackPressureTests.chunk)
                sent.withLock { $0 += 1 }
            }
            call.finish()
        }
        try await channel.loop.sleep(for: .milliseconds(300))
        #expect(sent.withLock { $0 } * 10_000 < 2_000_000)
        #expect(try await channel.unary(Methods.unary, [3]) == [3])
        await go.set(true)
        try await sender.value
        #expect(try await call.receiveOnly() == Array("10000000".utf8))
    }

    @Test("unfinished messages of one connection are bounded together")
    func unfinishedMessages() async throws {
        let configuration = ServerConfiguration(maxConnectionBytes: 100_000)
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                try call.sendOnly(try await call.receiveOnly())
            }
        }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        // Each announces 100,000 bytes and sends 60,000.
        let half = [0, 0, 1, 0x86, 0xa0] + [UInt8](repeating: 0, count: 60_000)
        async let first = peer.request(pieces: [half] + [[UInt8]](repeating: [], count: 50))
        async let second = peer.request(pieces: [half] + [[UInt8]](repeating: [], count: 50))
        let statuses = try await [first.status, second.status]
        #expect(statuses.contains("8"))
    }

    @Test("whole requests that wait for their half-close are in the same budget")
    func heldRequests() async throws {
        let configuration = ServerConfiguration(maxConnectionBytes: 100_000)
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                try call.sendOnly([UInt8(try await call.receiveOnly().count >> 16)])
            }
        }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        let whole = [0, 0, 1, 0, 0] + [UInt8](repeating: 0, count: 65_536)
        async let first = peer.request(pieces: [whole] + [[UInt8]](repeating: [], count: 50))
        async let second = peer.request(pieces: [whole] + [[UInt8]](repeating: [], count: 50))
        let statuses = try await [first.status ?? "", second.status ?? ""]
        #expect(statuses.sorted() == ["0", "8"])
        // What was held is given back: the next request has the whole budget.
        #expect(try await peer.request(pieces: [whole]).status == "0")
    }
}
