/// Which of a target's addresses a call goes to.
public enum LoadBalancing: Sendable, Hashable {
    /// All calls to the first address that connects, attempts overlapping by 250 ms (gRFC A61).
    /// - Parameter shuffle: try the addresses in random order (gRFC A62).
    case pickFirst(shuffle: Bool = false)
    /// A connection to every address, calls in turn.
    case roundRobin(outliers: OutlierDetection? = nil)
    /// A connection to every address; the one with the fewest running calls of `choices` that are
    /// drawn at random (gRFC A48); 2...10.
    case leastRequest(choices: Int = 2, outliers: OutlierDetection? = nil)

    func balancer(_ core: ChannelCore) -> Balancer {
        switch self {
        case .pickFirst(let shuffle): PickFirst(core, shuffles: shuffle)
        case .roundRobin(let outliers): RoundRobin(core, outliers: outliers)
        case .leastRequest(let choices, let outliers):
            LeastRequest(core, choices: min(max(choices, 2), 10), outliers: outliers)
        }
    }
}
