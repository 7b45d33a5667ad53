import RPC

/// What a load run counted.
struct BenchResult: Sendable {
    /// From the moment a call should have begun (open loop) or began (closed loop).
    var latency = LatencyHistogram()
    /// From the moment a call was really begun.
    var serviceTime = LatencyHistogram()
    /// How much later than planned calls began: large values mean that rpcurl is the limit.
    var lateness = LatencyHistogram()
    var succeeded = 0
    var messages = 0
    /// By name of the status.
    var failures: [String: Int] = [:]
    var firstFailure: String?
    /// Not begun because of -max-outstanding.
    var dropped = 0
    /// Begun, and not ended in time.
    var unfinished = 0
    /// The time that was counted.
    var elapsed = Duration.zero

    var failed: Int { failures.values.reduce(0, +) }
    var completed: Int { succeeded + failed }
    var isClean: Bool { failed == 0 && dropped == 0 && unfinished == 0 && succeeded > 0 }

    mutating func fail(_ error: RPCError) {
        failures[error.code.name, default: 0] += 1
        if firstFailure == nil { firstFailure = "\(error)" }
    }
}
