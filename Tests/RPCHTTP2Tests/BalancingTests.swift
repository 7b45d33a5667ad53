import HTTP2
import Loop
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

@Suite("Load balancing over several addresses", .timeLimit(.minutes(5)))
struct BalancingTests {
    /// Servers that answer with their number.
    private func servers(_ count: Int) async throws -> [RawServer] {
        var servers: [RawServer] = []
        for number in 0..<count {
            servers.append(try await RawServer(on: .kept()) { $0.answer([UInt8(number)]) })
        }
        return servers
    }

    private func channel(
        _ addresses: [SocketAddress], _ balancing: LoadBalancing,
        _ change: (inout ChannelConfiguration) -> Void = { _ in }
    ) -> (HTTP2Channel, ManualResolver) {
        let resolver = ManualResolver(addresses)
        var configuration = ChannelConfiguration()
        configuration.loadBalancing = balancing
        configuration.firstBackoff = .milliseconds(10)
        configuration.maxBackoff = .milliseconds(10)
        change(&configuration)
        let channel = HTTP2Channel(
            resolver: resolver, authority: "name", loop: EventLoop(name: "client"),
            configuration: configuration)
        return (channel, resolver)
    }

    private static let nobody = SocketAddress.ipv4(host: "127.0.0.1", port: 1)

    @Test("pick_first: the first that connects has all calls; a refused one costs no time")
    func pickFirst() async throws {
        let servers = try await servers(2)
        let (channel, _) = channel(
            [BalancingTests.nobody] + servers.map(\.address), .pickFirst()
        ) { $0.attemptDelay = .seconds(1000) }
        for _ in 0..<5 { #expect(try await channel.unary(Methods.unary, []) == [0]) }
        #expect(try await servers[1].connections == 0)
    }

    @Test("pick_first: an address that is silent is overtaken after the delay, and given up")
    func happyEyeballs() async throws {
        let loop = EventLoop(name: "silent")
        let closed = Signal<Bool>()
        final class Silent: StreamSocketHandler, @unchecked Sendable {
            let closed: Signal<Bool>
            init(_ closed: Signal<Bool>) { self.closed = closed }
            func socketDidRead(_ bytes: UnsafeRawBufferPointer) {}
            func socketDidEnd() { Task { [closed] in await closed.set(true) } }
            func socketDidDrain() {}
            func socketDidClose(_ error: (any Error)?) {}
        }
        let silent = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            socket in
            socket.setHandler(Silent(closed))
            socket.startReading()
        }
        let servers = try await servers(1)
        let (channel, _) = channel([silent.address, servers[0].address], .pickFirst()) {
            $0.attemptDelay = .milliseconds(20)
        }
        #expect(try await channel.unary(Methods.unary, []) == [0])
        #expect(try await closed.wait())
        await silent.close()
    }

    @Test("pick_first: all fail: the error names each, and the channel tries on by itself")
    func allFail() async throws {
        let server = try await RawServer(on: .kept()) { $0.answer([1]) }
        let address = server.address
        try await server.kill()
        let (channel, resolver) = channel([BalancingTests.nobody, address], .pickFirst())
        let error = await failure { _ = try await channel.unary(Methods.unary, []) }
        #expect(error?.code == .unavailable)
        #expect(error?.connectionFailure == .connect)
        for place in ["\(BalancingTests.nobody)", "\(address)"] {
            #expect(error?.cause?.contains("connect \(place)") == true, "\(error as Any)")
        }
        #expect(resolver.refreshes > 0)
        let again = try await RawServer(on: address) { $0.answer([2]) }
        for await state in channel.states where state.connectivity == .ready { break }
        #expect(try await again.connections == 1)
        #expect(try await channel.unary(Methods.unary, []) == [2])
    }

    @Test("round_robin: every server has its share; one that dies is left out, and comes back")
    func roundRobin() async throws {
        let servers = try await servers(3)
        let (channel, resolver) = channel(servers.map(\.address), .roundRobin())
        func shares(_ calls: Int) async throws -> [UInt8: Int] {
            var shares: [UInt8: Int] = [:]
            for _ in 0..<calls {
                // While a server is away a call may still meet its broken connection.
                let answer = try await channel.unary(
                    Methods.unary, [], options: CallOptions(waitForReady: true))
                shares[answer[0], default: 0] += 1
            }
            return shares
        }
        _ = try await channel.unary(Methods.unary, [])
        for server in servers { try await until { try await server.connections == 1 } }
        try await until { try await shares(3).count == 3 }
        #expect(try await shares(30) == [0: 10, 1: 10, 2: 10])
        let before = resolver.refreshes
        try await servers[1].kill()
        try await until { resolver.refreshes > before }
        #expect(try await shares(30) == [0: 15, 2: 15])
        let again = try await RawServer(on: servers[1].address) { $0.answer([1]) }
        try await until { try await again.connections == 1 }
        try await until { try await shares(3).count == 3 }
        #expect(try await shares(30) == [0: 10, 1: 10, 2: 10])
        resolver.update([servers[2].address])
        #expect(try await shares(5) == [2: 5])
        try await until { try await servers[0].openConnections == 0 }
    }

    @Test("least_request: calls avoid the server that is busy")
    func leastRequest() async throws {
        let held = Mutex<[Int: [RawServer.Request]]>([:])
        var servers: [RawServer] = []
        for number in 0..<2 {
            servers.append(
                try await RawServer { request in
                    if request.message == [1] {
                        held.withLock { $0[number, default: []].append(request) }
                    } else {
                        request.answer([UInt8(number)])
                    }
                })
        }
        let (channel, _) = channel(servers.map(\.address), .leastRequest(choices: 10))
        // Ready is who has answered.
        var ready: Set<[UInt8]> = []
        try await until {
            ready.insert(try await channel.unary(Methods.unary, [0]))
            return ready.count == servers.count
        }
        async let first = channel.unary(Methods.unary, [1])
        try await until { held.withLock { !$0.isEmpty } }
        let busy = held.withLock { $0.keys.first ?? -1 }
        var idle = 0
        for _ in 0..<40 where try await channel.unary(Methods.unary, [0]) != [UInt8(busy)] {
            idle += 1
        }
        // By chance all ten draws hit the busy one: once in a thousand calls.
        #expect(idle >= 38)
        let requests = held.withLock { $0[busy] ?? [] }
        try await servers[busy].loop.submit { for request in requests { request.answer([9]) } }
        #expect(try await first == [9])
    }

    @Test("outliers: who fails too many calls is left out for a while, then returns")
    func outliers() async throws {
        let servers = [
            try await RawServer { $0.answer([0]) },
            try await RawServer { request in
                request.answer(nil, status: 13)
            },
        ]
        var rules = OutlierDetection()
        rules.interval = .milliseconds(100)
        // Longer by as much each time: at last long enough for ten calls on any machine.
        rules.baseEjectionTime = .milliseconds(500)
        rules.maxEjectionPercent = 50
        rules.failureShare = .init()
        rules.failureShare?.minimumHosts = 2
        rules.failureShare?.requestVolume = 3
        let (channel, _) = channel(servers.map(\.address), .roundRobin(outliers: rules))
        func failures(_ calls: Int) async -> Int {
            var failures = 0
            for _ in 0..<calls {
                if await failure({ _ = try await channel.unary(Methods.unary, []) }) != nil {
                    failures += 1
                }
            }
            return failures
        }
        try await until { await failures(1) == 1 }
        try await until { await failures(10) == 0 }
        let seen = try await servers[1].received.count
        // It comes back, fails again, and is left out again.
        try await until {
            _ = await failures(2)
            return try await servers[1].received.count > seen
        }
        try await until { await failures(10) == 0 }
    }

    @Test("servers killed and restarted under load: retries lose nothing")
    func killUnderLoad() async throws {
        var servers: [RawServer] = []
        for number in 0..<3 {
            servers.append(try await RawServer(on: .kept()) { $0.answer([UInt8(number)]) })
        }
        var policy = RetryPolicy(
            maxAttempts: 5, initialBackoff: .milliseconds(5), maxBackoff: .milliseconds(20))
        policy.retryableCodes = [.unavailable]
        let config = RetryTests.configuration(.retry(policy)).serviceConfig
        let (channel, _) = channel(servers.map(\.address), .roundRobin()) {
            $0.serviceConfig = config
        }
        let done = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<150 {
                        let options = CallOptions(waitForReady: true)
                        let answer = try await channel.unary(
                            Methods.unary, [1], options: options)
                        #expect(answer.count == 1)
                        done.add()
                    }
                }
            }
            for round in 1...3 {
                try await until { done.value > round * 250 }
                let address = servers[0].address
                try await servers[0].kill()
                servers.append(
                    try await RawServer(on: address) { $0.answer([UInt8(round)]) })
                servers.removeFirst()
            }
            try await group.waitForAll()
        }
        #expect(done.value == 1200)
    }
}
