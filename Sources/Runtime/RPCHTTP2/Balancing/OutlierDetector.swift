import Environment
import Loop

/// Who is ejected: the rules of gRFC A50 over counts, time and chance that are given.
struct OutlierDetector {
    /// How the calls of one interval to one address ended.
    struct Count {
        var address: SocketAddress
        var successes: Int
        var failures: Int

        var total: Int { successes + failures }
        var successRate: Double { Double(successes) / Double(total) }
    }

    private struct Host {
        var ejectedAt: Deadline?
        /// Ejections in a row.
        var multiplier = 0
    }

    private let rules: OutlierDetection
    private var hosts: [SocketAddress: Host] = [:]

    init(_ rules: OutlierDetection) {
        self.rules = rules
    }

    func isEjected(_ address: SocketAddress) -> Bool { hosts[address]?.ejectedAt != nil }

    /// Forgets the others.
    mutating func keep(_ addresses: [SocketAddress]) {
        var kept: [SocketAddress: Host] = [:]
        for address in addresses { kept[address] = hosts[address] ?? Host() }
        hosts = kept
    }

    /// The end of an interval.
    /// - Parameter random: 0..<1.
    mutating func sweep(_ counts: [Count], now: Deadline, random: () -> Double) {
        if let rule = rules.successRate { ejectBySuccessRate(rule, counts, now, random) }
        if let rule = rules.failureShare { ejectByFailureShare(rule, counts, now, random) }
        for (address, host) in hosts {
            guard let ejectedAt = host.ejectedAt else {
                if host.multiplier > 0 { hosts[address]?.multiplier -= 1 }
                continue
            }
            let time = min(
                rules.baseEjectionTime * host.multiplier,
                max(rules.baseEjectionTime, rules.maxEjectionTime))
            if now >= ejectedAt + time { hosts[address]?.ejectedAt = nil }
        }
    }

    private var isFull: Bool {
        let ejected = hosts.values.count { $0.ejectedAt != nil }
        return ejected * 100 >= rules.maxEjectionPercent * hosts.count
    }

    private mutating func ejectBySuccessRate(
        _ rule: OutlierDetection.SuccessRate, _ counts: [Count], _ now: Deadline,
        _ random: () -> Double
    ) {
        let counted = counts.filter { $0.total > 0 && $0.total >= rule.requestVolume }
        guard counted.count >= max(rule.minimumHosts, 1) else { return }
        let rates = counted.map(\.successRate)
        let mean = rates.reduce(0, +) / Double(rates.count)
        let variance = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count)
        let limit = mean - variance.squareRoot() * Double(rule.deviationFactor) / 1000
        for count in counted where count.successRate < limit {
            eject(count.address, rule.enforcement, now, random)
        }
    }

    private mutating func ejectByFailureShare(
        _ rule: OutlierDetection.FailureShare, _ counts: [Count], _ now: Deadline,
        _ random: () -> Double
    ) {
        let counted = counts.filter { $0.total > 0 && $0.total >= rule.requestVolume }
        guard counted.count >= rule.minimumHosts else { return }
        for count in counted where count.failures * 100 > rule.threshold * count.total {
            eject(count.address, rule.enforcement, now, random)
        }
    }

    private mutating func eject(
        _ address: SocketAddress, _ enforcement: Int, _ now: Deadline, _ random: () -> Double
    ) {
        guard !isFull, !isEjected(address), random() * 100 < Double(enforcement) else { return }
        hosts[address, default: Host()].multiplier += 1
        hosts[address]?.ejectedAt = now
    }
}
