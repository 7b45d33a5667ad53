import Loop

/// Runs an outlier detector over the subchannels of one balancer, on their loop.
final class OutlierWatch {
    private let loop: EventLoop
    private let didChange: () -> Void
    private var detector: OutlierDetector
    private var subchannels: [Subchannel] = []
    private var timer: LoopTimer?

    /// - Parameter didChange: somebody was ejected or is back.
    init(_ rules: OutlierDetection, _ loop: EventLoop, didChange: @escaping () -> Void) {
        self.loop = loop
        self.didChange = didChange
        detector = OutlierDetector(rules)
        timer = loop.schedule(every: rules.interval) { [weak self] in self?.sweep() }
    }

    func isEjected(_ address: SocketAddress) -> Bool { detector.isEjected(address) }

    func update(_ subchannels: [Subchannel]) {
        self.subchannels = subchannels
        detector.keep(subchannels.map(\.address))
    }

    func stop() {
        timer?.cancel()
        timer = nil
    }

    private func sweep() {
        let before = subchannels.map { detector.isEjected($0.address) }
        let counts = subchannels.map { subchannel in
            let (successes, failures) = subchannel.tally?.take() ?? (0, 0)
            return OutlierDetector.Count(
                address: subchannel.address, successes: successes, failures: failures)
        }
        detector.sweep(counts, now: loop.now) { .random(in: 0..<1) }
        if before != subchannels.map({ detector.isEjected($0.address) }) { didChange() }
    }
}
