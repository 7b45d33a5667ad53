public import Environment
import Protobuf

/// Who cancels when gets how much back: the rules that were kept with the booking when it was
/// made, so that later changes do not touch it.
public struct CancellationPolicy: Sendable, Hashable {
    public struct Tier: Sendable, Hashable {
        /// Cancelled at least this long before the start.
        public var notice: Duration
        /// 0 to 100.
        public var refundPercent: Int

        public init(notice: Duration, refundPercent: Int) {
            self.notice = notice
            self.refundPercent = refundPercent
        }
    }

    public var code: String
    public var tiers: [Tier]

    public init(code: String, tiers: [Tier]) {
        self.code = code
        self.tiers = tiers
    }

    /// E-24: 90 % whenever it is cancelled.
    public static let standard = CancellationPolicy(
        code: "standard", tiers: [Tier(notice: .zero, refundPercent: 90)])

    /// The percentage for a cancellation at `now`: of the longest notice that is met. None is met
    /// after the start, and 0 % goes back. A booking without a time has all the notice there is.
    public func percent(startsAt: Instant?, now: Instant) -> Int {
        let met = tiers.filter { tier in
            guard let startsAt else { return true }
            return now <= startsAt - tier.notice
        }
        return met.max { $0.notice < $1.notice }?.refundPercent ?? 0
    }

    /// Reads `{"code": …, "tiers": [{"notice_seconds": …, "refund_percent": …}]}`; nil when it is
    /// none.
    init?(json: JSONValue) {
        guard let code = json["code"]?.string, let list = json["tiers"]?.array else { return nil }
        var tiers: [Tier] = []
        for item in list {
            guard let seconds = item["notice_seconds"]?.integer, seconds >= 0,
                let percent = item["refund_percent"]?.integer, (0...100).contains(percent)
            else { return nil }
            tiers.append(Tier(notice: .seconds(seconds), refundPercent: Int(percent)))
        }
        self.init(code: code, tiers: tiers)
    }
}
