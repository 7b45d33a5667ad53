import Environment
import Synchronization

/// A token bucket for each e-mail address, known or not: an attempt takes a token, a success gives
/// it back. In memory: a restart forgives, and every replica counts for itself.
final class LoginLimiter: Sendable {
    struct Limit: Sendable {
        /// Failed attempts in a row.
        var burst = 5
        /// The time that brings one attempt back.
        var refill = Duration.seconds(60)
        /// Addresses remembered at most; the ones that failed least are forgotten first.
        var addresses = 10_000
    }

    private struct Bucket {
        var tokens: Double
        var updatedAt: Instant
    }

    private let limit: Limit
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ limit: Limit = Limit()) {
        self.limit = limit
    }

    /// Takes a token. - Returns: nil, or how long to wait when there is none.
    func attempt(_ email: String, at now: Instant) -> Duration? {
        buckets.withLock { buckets in
            if buckets[email] == nil, buckets.count >= limit.addresses { forget(&buckets, now) }
            var bucket = current(buckets[email], now)
            defer { buckets[email] = bucket }
            guard bucket.tokens >= 1 else { return limit.refill * (1 - bucket.tokens) }
            bucket.tokens -= 1
            return nil
        }
    }

    /// The attempt did not fail.
    func forgive(_ email: String, at now: Instant) {
        buckets.withLock { buckets in
            guard let known = buckets[email] else { return }
            var bucket = current(known, now)
            bucket.tokens += 1
            buckets[email] = bucket.tokens >= Double(limit.burst) ? nil : bucket
        }
    }

    private func current(_ bucket: Bucket?, _ now: Instant) -> Bucket {
        let full = Double(limit.burst)
        guard let bucket else { return Bucket(tokens: full, updatedAt: now) }
        let gained = max(.zero, bucket.updatedAt.duration(to: now)) / limit.refill
        return Bucket(tokens: min(full, bucket.tokens + gained), updatedAt: now)
    }

    /// Makes room for a tenth: full buckets say nothing, nearly full ones little.
    private func forget(_ buckets: inout [String: Bucket], _ now: Instant) {
        let order = buckets.map { (email: $0.key, tokens: current($0.value, now).tokens) }
            .sorted { $0.tokens > $1.tokens }
        for entry in order.prefix(max(1, limit.addresses / 10)) { buckets[entry.email] = nil }
    }
}
