import Environment

/// gRPC A8: how often a client may ping. Counts strikes for one connection; times are
/// milliseconds.
struct PingPolicy {
    /// The interval for a client without calls, when those may not ping at all.
    static let withoutCalls: UInt64 = 7_200_000

    private var last: UInt64?
    private var strikes = 0

    /// A ping came. False when it is one too many.
    mutating func allows(
        at now: UInt64, hasCalls: Bool, hasSent: Bool, _ configuration: ServerConfiguration
    ) -> Bool {
        if hasSent {
            last = nil
            strikes = 0
        }
        let interval =
            hasCalls || configuration.permitsPingsWithoutCalls
            ? UInt64(max(0, configuration.minPingInterval.milliseconds)) : PingPolicy.withoutCalls
        defer { last = now }
        guard let last, now < last + interval else { return true }
        strikes += 1
        return strikes <= configuration.maxPingStrikes
    }
}
