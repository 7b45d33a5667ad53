import Environment
import Loop
import RPC
import Synchronization
import TLS
import Testing

@testable import RPCHTTP2

@Suite("Name resolution", .timeLimit(.minutes(5)))
struct ResolutionTests {
    @Test(
        "targets: authority and addresses",
        arguments: [
            ("localhost:50051", "localhost:50051", nil), ("[::1]:80", "[::1]:80", ["[::1]:80"]),
            ("127.0.0.1:1", "127.0.0.1:1", ["127.0.0.1:1"]), ("dns:///a.b:1", "a.b:1", nil),
            ("dns:a.b:1", "a.b:1", nil), ("unix:/run/x", "localhost", ["unix:/run/x"]),
            ("unix:///run/x", "localhost", ["unix:/run/x"]),
            ("unix:rel/x", "localhost", ["unix:rel/x"]),
            ("ipv4:1.2.3.4:5,6.7.8.9:10", "1.2.3.4:5", ["1.2.3.4:5", "6.7.8.9:10"]),
            ("ipv6:[::1]:5,[::2]:6", "[::1]:5", ["[::1]:5", "[::2]:6"]),
        ] as [(String, String, [String]?)])
    func targets(text: String, authority: String, addresses: [String]?) throws {
        let target = try ChannelTarget(text, isSecure: false)
        #expect(target.authority == authority)
        if case .addresses(let found) = target {
            #expect(found.map { "\($0)" } == addresses)
        } else {
            #expect(addresses == nil)
        }
    }

    @Test(
        "no targets",
        arguments: [
            "localhost", ":80", "host:99999", "unix:", "", "dns://8.8.8.8/a:1",
            "ipv4:localhost:1", "ipv4:1.2.3.4", "ipv4:1.2.3.4:5,", "ipv4:[::1]:5", "ipv6:1.2.3.4:5",
            "ipv6:", "host:-1", "host:",
        ])
    func badTargets(text: String) {
        do {
            _ = try ChannelTarget(text, isSecure: false)
            Issue.record("accepted")
        } catch {
            let error = error as? RPCError
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.hasPrefix("\(text) is no target: ") == true)
        }
    }

    @Test("https:// without TLS and http:// with it are refused; nothing is sent in the clear")
    func schemes() async throws {
        let server = try await RawServer { $0.answer([1]) }
        let (port, loop) = (server.address.port ?? 0, EventLoop(name: "client"))
        var secure = ChannelConfiguration()
        secure.tls = try TLSClientContext(TLSClientConfiguration(trust: .nobodyChecked))
        for (scheme, right, wrong) in [
            ("http", ChannelConfiguration(), secure), ("https", secure, ChannelConfiguration()),
        ] {
            let target = "\(scheme)://127.0.0.1:\(port)"
            let error = await failure {
                let channel = try HTTP2Channel(target: target, loop: loop, configuration: wrong)
                _ = try await channel.unary(Methods.unary, [1])
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("ChannelConfiguration.tls") == true)
            _ = try HTTP2Channel(target: target, loop: loop, configuration: right)
        }
        let channel = try HTTP2Channel(target: "http://127.0.0.1:\(port)", loop: loop)
        #expect(try await channel.unary(Methods.unary, [1]) == [1])
        #expect(try await server.connections == 1)
    }

    @Test("a name that does not exist: UNAVAILABLE, marked as resolution")
    func noSuchHost() async throws {
        let channel = try HTTP2Channel(target: "no.such.invalid:1", loop: EventLoop(name: "client"))
        let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(error?.code == .unavailable)
        #expect(error?.connectionFailure == .resolution)
        #expect(error?.cause?.contains("no.such.invalid") == true)
        // It has looked again when the machine stalls meanwhile.
        for await state in channel.states where state.connectivity == .transientFailure { break }
    }

    @Test("localhost is looked up and reached")
    func localhost() async throws {
        let server = try await RawServer { $0.answer([1]) }
        let channel = try HTTP2Channel(
            target: "localhost:\(server.address.port ?? 0)", loop: EventLoop(name: "client"))
        #expect(try await channel.unary(Methods.unary, [1]) == [1])
    }

    @Test("calls wait for the first addresses; new addresses move the calls")
    func manual() async throws {
        let servers = [
            try await RawServer { $0.answer([0]) }, try await RawServer { $0.answer([1]) },
        ]
        let resolver = ManualResolver()
        let channel = HTTP2Channel(
            resolver: resolver, authority: "name", loop: EventLoop(name: "client"))
        async let first = channel.unary(Methods.unary, [])
        try await until { channel.state.connectivity == .connecting }
        resolver.update([servers[0].address])
        #expect(try await first == [0])
        #expect(try await servers[0].received.first?.stream.fields[":authority"] == "name")
        // Known already, and in the list: the connection stays.
        resolver.update([servers[1].address, servers[0].address])
        #expect(try await channel.unary(Methods.unary, []) == [0])
        resolver.update([servers[1].address])
        #expect(try await channel.unary(Methods.unary, []) == [1])
        try await until { try await servers[0].openConnections == 0 }
        // A resolver that fails takes nothing away.
        resolver.update(NameResolution(addresses: .failure(RPCError(.unavailable, "down"))))
        #expect(try await channel.unary(Methods.unary, []) == [1])
    }

    @Test("no address, or an error, before there was one: calls fail with it; then they work")
    func emptyThenFull() async throws {
        let server = try await RawServer { $0.answer([1]) }
        let resolver = ManualResolver([])
        let channel = HTTP2Channel(
            resolver: resolver, authority: "name", loop: EventLoop(name: "client"))
        for text in ["no address", "registry is down"] {
            let error = await failure { _ = try await channel.unary(Methods.unary, []) }
            #expect(error?.code == .unavailable)
            #expect(error?.connectionFailure == .resolution)
            #expect(error?.cause?.contains(text) == true)
            resolver.update(
                NameResolution(addresses: .failure(RPCError(.unavailable, "registry is down"))))
            try await until {
                channel.state.lastError?.cause?.contains("registry is down") == true
            }
        }
        async let patient = channel.unary(
            Methods.unary, [], options: CallOptions(waitForReady: true))
        resolver.update([server.address])
        #expect(try await patient == [1])
    }

    @Test("a service config from the resolver holds for the calls that waited for it")
    func configures() async throws {
        let server = try await RawServer {
            $0.answer($0.number == 0 ? nil : [1], status: $0.number == 0 ? 14 : 0)
        }
        let resolver = ManualResolver(mayConfigure: true)
        let channel = HTTP2Channel(
            resolver: resolver, authority: "name", loop: EventLoop(name: "client"))
        async let answer = channel.unary(Methods.unary, [3])
        try await until { channel.state.connectivity == .connecting }
        resolver.update(
            NameResolution(
                addresses: .success([server.address]),
                serviceConfig: RetryTests.configuration(RetryTests.retry(2)).serviceConfig))
        #expect(try await answer == [1])
        #expect(try await server.received.map(\.message) == [[3], [3]])
        // And it can be taken away.
        resolver.update([server.address])
        #expect(try await channel.unary(Methods.unary, []) == [1])
        #expect(try await channel.loop.submit { channel.core.hasPolicies } == false)
    }

    @Test("a host is looked up again when connections fail, not more often than the interval")
    func looksUpAgain() async throws {
        // Before the loop is made: its clock may lag behind this one, not before its beginning.
        let began = Deadline.now()
        let loop = EventLoop(name: "dns")
        let asked = Mutex(0)
        let reports = Mutex(0)
        let interval = Duration.milliseconds(60)
        let resolver = DNSResolver(
            host: "h", port: 1, minimumInterval: interval, backoff: Backoff(ChannelConfiguration())
        ) { _, _, _ in
            asked.withLock { $0 += 1 }
            return [.ipv4(host: "10.0.0.1", port: 1)]
        }
        try await loop.submit { resolver.start(on: loop) { _ in reports.withLock { $0 += 1 } } }
        for count in 1...3 {
            try await until { reports.withLock { $0 } >= count }
            // Many failures are one look-up now, at most, and one later.
            try await loop.submit { for _ in 0..<10 { resolver.refresh() } }
        }
        try await loop.submit { resolver.stop() }
        let count = asked.withLock { $0 }
        #expect(count >= 3)
        #expect(interval * (count - 1) <= began.duration(to: .now()))
    }

    @Test("a look-up that fails is repeated with back-off until it works")
    func lookUpBacksOff() async throws {
        let loop = EventLoop(name: "dns")
        let asked = Mutex(0)
        let reports = Mutex<[Bool]>([])
        var configuration = ChannelConfiguration()
        configuration.firstBackoff = .milliseconds(2)
        let resolver = DNSResolver(
            host: "h", port: 1, minimumInterval: .seconds(1000), backoff: Backoff(configuration)
        ) { host, _, _ in
            let number = asked.withLock { count in
                count += 1
                return count
            }
            if number < 3 { throw LoopError.timedOut("resolve \(host)") }
            return [.ipv4(host: "10.0.0.1", port: 1)]
        }
        try await loop.submit {
            resolver.start(on: loop) { resolution in
                let worked = if case .success = resolution.addresses { true } else { false }
                reports.withLock { $0.append(worked) }
            }
        }
        try await until { reports.withLock { $0.count } == 3 }
        #expect(reports.withLock { $0 } == [false, false, true])
        try await loop.submit { resolver.stop() }
    }
}
