/// Amounts in the smallest unit of their currency. Whatever was stored or sent, their
/// arithmetic never traps: what does not fit is the most that does.
public enum Money {
    /// The highest price of one seat: 10¹² of the smallest unit. Ten thousand seats, as many as a
    /// slot can have, cost 10¹⁶ of it, and sums of such amounts stay far from what 64 bits hold.
    public static let priceLimit: Int64 = 1_000_000_000_000

    public static func times(_ price: Int64, _ seats: Int) -> Int64 {
        let (product, isTooMuch) = price.multipliedReportingOverflow(by: Int64(seats))
        return isTooMuch ? ((price < 0) == (seats < 0) ? .max : .min) : product
    }

    public static func sum(_ one: Int64, _ other: Int64) -> Int64 {
        let (sum, isTooMuch) = one.addingReportingOverflow(other)
        return isTooMuch ? (one < 0 ? .min : .max) : sum
    }
}

extension FieldRules {
    /// The price of one seat: 0 to ``Money/priceLimit``.
    public mutating func price(_ value: Int64?, _ field: String) {
        guard let value else { return }
        if value < 0 { refuse(field, "is negative") }
        if value > Money.priceLimit { refuse(field, "is more than \(Money.priceLimit)") }
    }
}
