import Testing
import WebSocket

struct HeartbeatPolicyTests {
    /// One step of a fake clock, in seconds: a frame arrives, or the timer looks.
    enum Step: Sendable {
        case frame(at: UInt64)
        case check(at: UInt64, HeartbeatPolicy.Action)
    }

    struct Script: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]
    }

    static let scripts: [Script] = [
        Script(
            testDescription: "silent peer is dead within 40 s",
            steps: [
                .check(at: 29, .wait), .check(at: 30, .ping), .check(at: 39, .wait),
                .check(at: 40, .dead),
            ]),
        Script(
            testDescription: "any frame after the ping is life",
            steps: [
                .check(at: 30, .ping), .frame(at: 31), .check(at: 40, .wait),
                .check(at: 60, .ping), .frame(at: 69), .check(at: 70, .wait),
                .check(at: 90, .ping), .check(at: 100, .dead),
            ]),
        Script(
            testDescription: "a frame before the ping does not answer it",
            steps: [.frame(at: 29), .check(at: 30, .ping), .check(at: 40, .dead)]),
        Script(
            testDescription: "a busy peer is pinged all the same",
            steps: [
                .frame(at: 10), .frame(at: 20), .check(at: 30, .ping), .frame(at: 30),
                .check(at: 59, .wait), .check(at: 60, .ping),
            ]),
        Script(
            testDescription: "a late timer pings once and waits the whole timeout",
            steps: [
                .check(at: 130, .ping), .check(at: 130, .wait), .check(at: 139, .wait),
                .check(at: 140, .dead),
            ]),
        Script(
            testDescription: "dead stays dead",
            steps: [.check(at: 30, .ping), .check(at: 45, .dead), .check(at: 46, .dead)]),
    ]

    @Test("X-40: ping every 30 s, dead 10 s after an unanswered ping", arguments: scripts)
    func script(_ script: Script) {
        let second: UInt64 = 1_000_000_000
        let start = 5 * second
        var policy = HeartbeatPolicy(now: start)
        for step in script.steps {
            switch step {
            case .frame: policy.receivedFrame()
            case .check(let time, let action):
                #expect(policy.check(now: start + time * second) == action, "at \(time) s")
            }
        }
    }

    @Test("X-40: nextCheck is exactly when something is due")
    func nextCheck() {
        var policy = HeartbeatPolicy(configuration: .init(interval: 100, timeout: 30), now: 1000)
        #expect(policy.nextCheck == 1100)
        #expect(policy.check(now: policy.nextCheck - 1) == .wait)
        #expect(policy.check(now: policy.nextCheck) == .ping)
        #expect(policy.nextCheck == 1130)
        policy.receivedFrame()
        #expect(policy.nextCheck == 1200)
        #expect(policy.check(now: 1200) == .ping)
        #expect(policy.check(now: policy.nextCheck) == .dead)
    }

    @Test("X-40: a timeout longer than the interval keeps its first deadline")
    func longTimeout() {
        var policy = HeartbeatPolicy(configuration: .init(interval: 10, timeout: 25), now: 0)
        #expect(policy.check(now: 10) == .ping)
        #expect(policy.check(now: 20) == .ping)
        #expect(policy.check(now: 30) == .ping)
        #expect(policy.check(now: 34) == .wait)
        #expect(policy.check(now: 35) == .dead)
    }
}
