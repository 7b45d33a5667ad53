import Environment
import Loop
import RPC
import Testing

@testable import RPCHTTP2

@Suite("Rules of time and chance, as tables")
struct RetryRulesTests {
    @Test("retry back-off: initial × multiplier up to the maximum, ±20 %; pushback begins anew")
    func backoff() {
        var backoff = RetryBackoff(
            RetryPolicy(
                initialBackoff: .milliseconds(100), maxBackoff: .milliseconds(500),
                backoffMultiplier: 2))
        func milliseconds(_ random: Double) -> Int {
            Int((backoff.delay(random: random).secondsValue * 1000).rounded())
        }
        #expect([0.5, 0.5, 0.5, 0.5, 0.5].map(milliseconds) == [100, 200, 400, 500, 500])
        backoff.reset()
        #expect([0, 1].map(milliseconds) == [80, 240])
    }

    @Test(
        "throttle: closed at half or less; a success gives the ratio back, in thousandths",
        arguments: [
            // Tokens, ratio, failures (-) and successes (+), closed?
            (10, 0.1, "----", false), (10, 0.1, "-----", true), (10, 0.1, "-----+", false),
            (10, 0.1, "------+++++++++", true), (10, 0.1, "------+++++++++++", false),
            (1, 1, "-", true), (1, 1, "--+", false), (1, 0.0019, "-", true),
            (1, 0.001, "-" + String(repeating: "+", count: 500), true),
            (1, 0.001, "-" + String(repeating: "+", count: 501), false),
            (10, 10, "+-----", true), (1000, 1, String(repeating: "-", count: 499), false),
        ] as [(Int, Double, String, Bool)])
    func throttle(tokens: Int, ratio: Double, events: String, closed: Bool) {
        var throttle = RetryThrottle(RetryThrottling(maxTokens: tokens, tokenRatio: ratio))
        for event in events {
            if event == "+" { throttle.succeeded() } else { throttle.failed() }
        }
        #expect(throttle.isClosed == closed)
    }

    @Test(
        "pushback",
        arguments: [
            (nil, .none), ("0", .after(.zero)), ("1500", .after(.milliseconds(1500))),
            ("-1", .stop), ("soon", .stop), ("", .stop), ("99999999999", .stop), ("1.5", .stop),
        ] as [(String?, Pushback)])
    func pushback(text: String?, expected: Pushback) {
        var trailers = Metadata()
        if let text { trailers.add(text, for: "grpc-retry-pushback-ms") }
        #expect(Pushback(trailers) == expected)
    }

    // MARK: Outliers

    private static func address(_ number: Int) -> SocketAddress {
        .ipv4(host: "10.0.0.\(number)", port: 1)
    }

    private static func counts(_ counts: [(Int, Int)]) -> [OutlierDetector.Count] {
        counts.enumerated().map {
            OutlierDetector.Count(
                address: address($0), successes: $1.0, failures: $1.1)
        }
    }

    private static func ejected(_ detector: OutlierDetector, of count: Int) -> [Int] {
        (0..<count).filter { detector.isEjected(address($0)) }
    }

    @Test(
        "failure share: threshold, volume, hosts, percent ejected, enforcement",
        arguments: [
            ([(10, 0), (10, 0), (1, 9)], 100, 0.0, [2]),
            ([(10, 0), (10, 0), (5, 5)], 100, 0, []),
            ([(10, 0), (10, 0), (0, 9)], 100, 0, []),
            ([(10, 0), (1, 9)], 100, 0, []),
            ([(0, 10), (0, 10), (0, 10)], 34, 0, [0, 1]),
            ([(0, 10), (10, 0), (0, 10)], 1, 0, [0]),
            ([(0, 10), (10, 0), (0, 10)], 0, 0, []),
            ([(10, 0), (10, 0), (1, 9)], 100, 0.8, []),
        ] as [([(Int, Int)], Int, Double, [Int])])
    func failureShare(counts: [(Int, Int)], percent: Int, random: Double, expected: [Int]) {
        var rules = OutlierDetection()
        rules.maxEjectionPercent = percent
        rules.failureShare = .init()
        rules.failureShare?.threshold = 50
        rules.failureShare?.minimumHosts = 3
        rules.failureShare?.requestVolume = 10
        rules.failureShare?.enforcement = 80
        var detector = OutlierDetector(rules)
        detector.keep(counts.indices.map { RetryRulesTests.address($0) })
        detector.sweep(RetryRulesTests.counts(counts), now: Deadline(nanoseconds: 1)) { random }
        #expect(RetryRulesTests.ejected(detector, of: counts.count) == expected)
    }

    @Test("success rate: below the mean by more than 1.9 deviations")
    func successRate() {
        var rules = OutlierDetection()
        rules.maxEjectionPercent = 50
        rules.successRate = .init()
        rules.successRate?.requestVolume = 10
        func ejected(_ counts: [(Int, Int)]) -> [Int] {
            var detector = OutlierDetector(rules)
            detector.keep(counts.indices.map { RetryRulesTests.address($0) })
            detector.sweep(RetryRulesTests.counts(counts), now: Deadline(nanoseconds: 1)) { 0 }
            return RetryRulesTests.ejected(detector, of: counts.count)
        }
        let good = [(100, 0), (99, 1), (100, 0), (98, 2)]
        #expect(ejected(good + [(100, 0)]) == [])
        // Four good ones and one at 20 %: mean 83.4, deviation 31.7: the limit is 23.
        #expect(ejected(good + [(20, 80)]) == [4])
        #expect(ejected(good + [(30, 70)]) == [4])
        // Not enough calls, then not enough hosts.
        #expect(ejected(good + [(0, 9)]) == [])
        #expect(ejected(Array(good.dropFirst()) + [(20, 80)]) == [])
    }

    @Test("an ejection lasts the base time, longer each time in a row, at most the maximum")
    func ejectionTime() {
        var rules = OutlierDetection()
        rules.maxEjectionPercent = 100
        rules.maxEjectionTime = .seconds(70)
        rules.failureShare = .init()
        rules.failureShare?.minimumHosts = 1
        rules.failureShare?.requestVolume = 1
        var detector = OutlierDetector(rules)
        let address = RetryRulesTests.address(0)
        detector.keep([address])
        var now = Deadline(nanoseconds: 0)
        func sweep(failing: Bool) -> Bool {
            now = now + .seconds(10)
            let count = OutlierDetector.Count(
                address: address, successes: failing ? 0 : 10, failures: failing ? 10 : 0)
            detector.sweep(failing ? [count] : [], now: now) { 0 }
            return detector.isEjected(address)
        }
        func sweepsUntilBack() -> Int {
            var sweeps = 0
            repeat { sweeps += 1 } while sweep(failing: false) && sweeps < 100
            return sweeps
        }
        // 30 s, 60 s, then the maximum of 70 s, in steps of 10 s.
        for expected in [3, 6, 7, 7] {
            #expect(sweep(failing: true))
            #expect(sweepsUntilBack() == expected)
        }
        // Four in a row are forgotten one by one.
        for _ in 0..<4 { #expect(!sweep(failing: false)) }
        #expect(sweep(failing: true))
        #expect(sweepsUntilBack() == 3)
    }

    // MARK: Addresses

    @Test("address order: families in turn, none twice")
    func order() {
        let four = (1...3).map { SocketAddress.ipv4(host: "10.0.0.\($0)", port: 1) }
        let six = (1...2).map { SocketAddress.ipv6(host: "::\($0)", port: 1) }
        #expect(
            AddressOrder.interleaved(six + four + six)
                == [six[0], four[0], six[1], four[1], four[2]])
        #expect(AddressOrder.interleaved(four) == four)
        #expect(AddressOrder.interleaved([]) == [])
    }
}
