import Testing

@testable import RPCHTTP2

@Suite("ConnectionClock and PingPolicy: rules without sockets")
struct ConnectionClockTests {
    private func configuration() -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.handshakeTimeout = .milliseconds(10)
        configuration.settingsTimeout = .milliseconds(20)
        configuration.headerTimeout = .milliseconds(30)
        configuration.sendStallTimeout = .milliseconds(80)
        configuration.maxConnectionIdle = .milliseconds(1000)
        configuration.maxConnectionAge = .milliseconds(5000)
        configuration.keepaliveTime = .milliseconds(2000)
        configuration.keepaliveTimeout = .milliseconds(100)
        return configuration
    }

    /// What falls due up to `end`, with the time of each.
    private func run(
        _ clock: inout ConnectionClock, to end: UInt64, hasStreams: Bool = false,
        _ configuration: ServerConfiguration
    ) -> [String] {
        var seen: [String] = []
        while clock.next <= end {
            let now = clock.next
            while let due = clock.due(at: now, hasStreams: hasStreams, configuration) {
                seen.append("\(now) \(due)")
            }
        }
        return seen
    }

    @Test("without SETTINGS only the handshake ends")
    func handshake() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 100, configuration)
        #expect(run(&clock, to: 1000, configuration) == ["110 handshakeTimeout"])
    }

    @Test("a silent connection: SETTINGS, idle, ping, its timeout, age")
    func silent() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 0, configuration)
        clock.didReceiveSettings(at: 5, isAcknowledged: false, random: 0.5, configuration)
        #expect(
            run(&clock, to: 10_000, configuration) == [
                "25 settingsTimeout", "1005 idle", "2000 ping", "2100 keepaliveTimeout", "5005 age",
            ])
    }

    @Test("a connection that answers is pinged again and again; age is spread by ±10 %")
    func answering() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 0, configuration)
        clock.didReceiveSettings(at: 0, isAcknowledged: true, random: 0, configuration)
        clock.didOpenStream(configuration)
        #expect(run(&clock, to: 2000, configuration) == ["40 stallCheck", "2000 ping"])
        clock.didRead(at: 2050)
        #expect(run(&clock, to: 4060, configuration) == ["4050 ping"])
        clock.didRead(at: 4070)
        #expect(run(&clock, to: 5000, configuration) == ["4500 age"])
    }

    @Test("stall checks go on while streams are open; idle begins behind the last")
    func streams() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 0, configuration)
        clock.didReceiveSettings(at: 0, isAcknowledged: true, random: 0.5, configuration)
        clock.didOpenStream(configuration)
        #expect(
            run(&clock, to: 120, hasStreams: true, configuration) == [
                "40 stallCheck", "80 stallCheck", "120 stallCheck",
            ])
        clock.didEndStreams(at: 130, configuration)
        #expect(run(&clock, to: 1500, configuration) == ["160 stallCheck", "1130 idle"])
    }

    @Test("a header block has its time once, from its beginning")
    func headers() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 0, configuration)
        clock.didReceiveSettings(at: 0, isAcknowledged: true, random: 0.5, configuration)
        clock.headerBlock(isOpen: true, at: 10, configuration)
        clock.headerBlock(isOpen: true, at: 35, configuration)
        #expect(run(&clock, to: 60, configuration) == ["40 headerTimeout"])
        clock.headerBlock(isOpen: true, at: 60, configuration)
        clock.headerBlock(isOpen: false, at: 70, configuration)
        #expect(run(&clock, to: 200, configuration) == [])
    }

    @Test("leaving: notice, then the grace, then the lingering")
    func leaving() {
        let configuration = configuration()
        var clock = ConnectionClock(now: 0, configuration)
        clock.didReceiveSettings(at: 0, isAcknowledged: true, random: 0.5, configuration)
        clock.didNotice(at: 10)
        #expect(run(&clock, to: 1100, configuration) == ["1010 noticeTimeout"])
        clock.didLeave(at: 1100, grace: .milliseconds(50))
        #expect(run(&clock, to: 1200, configuration) == ["1150 graceOver"])
        clock.didShutdown(at: 1200, linger: .milliseconds(10))
        #expect(run(&clock, to: 1300, configuration) == ["1210 lingerOver"])
    }

    @Test(
        "pings: the interval, two strikes, and forgiveness by what we send",
        arguments: [
            // (time in seconds, has calls, we have sent since the last ping) and the answers
            ([(0, true, false), (300, true, false), (600, true, false)], [true, true, true]),
            (
                [(0, true, false), (1, true, false), (2, true, false), (3, true, false)],
                [true, true, true, false]
            ),
            (
                [
                    (0, true, false), (1, true, false), (2, true, false), (3, true, true),
                    (4, true, false), (5, true, false), (6, true, false),
                ],
                [true, true, true, true, true, true, false]
            ),
            (
                [(0, false, false), (300, false, false), (600, false, false), (900, false, false)],
                [true, true, true, false]
            ),
            (
                [(0, false, false), (7200, false, false), (14_400, false, false)],
                [true, true, true]
            ),
        ] as [([(UInt64, Bool, Bool)], [Bool])])
    func pings(events: [(UInt64, Bool, Bool)], expected: [Bool]) {
        let configuration = ServerConfiguration()
        var policy = PingPolicy()
        let answers = events.map { time, hasCalls, hasSent in
            policy.allows(
                at: time * 1000, hasCalls: hasCalls, hasSent: hasSent, configuration)
        }
        #expect(answers == expected)
    }
}
