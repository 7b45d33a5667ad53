import Loop
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

@Suite("gRPC over HTTP/2: back-pressure end to end", .timeLimit(.minutes(5)))
struct BackPressureTests {
    private static let chunk = [UInt8](repeating: 5, count: 10_000)

    /// What has been sent when no more is: the window is full by then.
    private func atRest(_ sent: Count) async throws -> Int {
        var last = -1
        while case let now = sent.value, now != last || now * 10_000 < 1 << 20 {
            last = now
            try await Task.sleep(for: .milliseconds(100))
        }
        return last
    }

    @Test("a reader that does not read stops the handler within the windows' size")
    func slowReader() async throws {
        let sent = Count()
        let server = try await TestServer { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                for _ in 0..<10_000 {
                    try await call.send(BackPressureTests.chunk)
                    sent.add()
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
        #expect(try await atRest(sent) * 10_000 < 2_000_000)
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
        let sent = Count()
        let sender = Task {
            for _ in 0..<1000 {
                try await call.send(BackPressureTests.chunk)
                sent.add()
            }
            call.finish()
        }
        #expect(try await atRest(sent) * 10_000 < 2_000_000)
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
        #expect(try await statuses(of: [half, half], by: peer) == ["8", "13"])
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
        #expect(try await statuses(of: [whole, whole], by: peer) == ["8", "0"])
        // What was held is given back: the next request has the whole budget.
        #expect(try await peer.request(pieces: [whole]).status == "0")
    }

    /// Of requests that all stay open until one is answered, in the order of the answers.
    private func statuses(of bodies: [[UInt8]], by peer: RawPeer) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { group in
            for body in bodies {
                group.addTask { try await peer.request(pieces: [body], ends: false).status ?? "" }
            }
            var statuses: [String] = []
            for try await status in group {
                statuses.append(status)
                try await peer.endRequests()
            }
            return statuses
        }
    }
}
