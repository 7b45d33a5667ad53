/// How long to wait before the next connection attempt (connection-backoff.md).
struct Backoff {
    private let configuration: ChannelConfiguration
    private var next: Double

    init(_ configuration: ChannelConfiguration) {
        self.configuration = configuration
        next = Backoff.seconds(configuration.firstBackoff)
    }

    private static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    /// - Parameter random: 0..<1.
    mutating func delay(random: Double = .random(in: 0..<1)) -> Duration {
        let jitter = 1 + configuration.backoffJitter * (random * 2 - 1)
        let delay = Duration.seconds(next * jitter)
        next = min(
            next * configuration.backoffFactor, Backoff.seconds(configuration.maxBackoff))
        return delay
    }

    mutating func reset() {
        next = Backoff.seconds(configuration.firstBackoff)
    }
}
