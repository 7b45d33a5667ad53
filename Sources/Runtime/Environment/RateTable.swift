/// Token buckets by client address in a table of fixed size. A value: its owner confines it.
///
/// Four places per hash; when they are taken the one that was used longest ago gives way, so a
/// flood of addresses costs no memory and only ever forgives.
public struct RateTable: Sendable {
    private struct Bucket: Sendable {
        var key: UInt64 = 0
        var tokens: Double = 0
        var refilled: UInt64 = 0
    }

    public struct Verdict: Sendable, Hashable {
        public let isAllowed: Bool
        public let limit: Int
        public let remaining: Int
        /// Seconds until a token is there, at least 1 when refused.
        public let retryAfter: Int
    }

    private let limit: RateLimit
    private let seed: UInt64
    private var buckets: [Bucket]

    static let ways = 4

    /// - Parameter size: addresses that are remembered.
    public init(_ limit: RateLimit, size: Int) {
        self.limit = limit
        seed = UUID.random().bytes.0
        var count = Self.ways
        while count < size { count *= 2 }
        buckets = limit.isUnlimited ? [] : Array(repeating: Bucket(), count: count)
    }

    /// Takes one token of the address; nil when there is no limit.
    public mutating func take(_ address: String, now: Deadline = .now()) -> Verdict? {
        guard !limit.isUnlimited else { return nil }
        var hasher = Hasher()
        hasher.combine(seed)
        hasher.combine(address)
        let key = UInt64(bitPattern: Int64(hasher.finalize())) | 1
        let index = place(of: key)
        if buckets[index].key != key {
            buckets[index] = Bucket(
                key: key, tokens: Double(limit.burst), refilled: now.nanoseconds)
        }
        let elapsed = Double(now.nanoseconds &- buckets[index].refilled) * 1e-9
        let tokens = min(Double(limit.burst), buckets[index].tokens + elapsed * limit.perSecond)
        buckets[index].refilled = now.nanoseconds
        guard tokens >= 1 else {
            buckets[index].tokens = tokens
            let wait = limit.perSecond > 0 ? (1 - tokens) / limit.perSecond : 3600
            return Verdict(
                isAllowed: false, limit: limit.burst, remaining: 0,
                retryAfter: max(1, Int(wait.rounded(.up))))
        }
        buckets[index].tokens = tokens - 1
        return Verdict(
            isAllowed: true, limit: limit.burst, remaining: Int(tokens - 1), retryAfter: 0)
    }

    private func place(of key: UInt64) -> Int {
        let sets = UInt64(buckets.count / Self.ways)
        let first = Int((key >> 1) % sets) * Self.ways
        var oldest = first
        for index in first..<(first + Self.ways) {
            if buckets[index].key == key { return index }
            if buckets[index].refilled < buckets[oldest].refilled { oldest = index }
        }
        return oldest
    }
}
