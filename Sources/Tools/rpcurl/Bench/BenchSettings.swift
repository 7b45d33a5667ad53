/// What the flags of `bench` say.
struct BenchSettings: Sendable {
    /// Calls per second of an open loop; nil is a closed loop.
    var rate: Double?
    var concurrency = 50
    var connections = 1
    /// Counted calls; nil is no limit.
    var count: Int?
    var warmup = Duration.seconds(1)
    var maxOutstanding = 1000
}
