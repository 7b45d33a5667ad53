extension Duration {
    /// Whole nanoseconds, rounded towards zero; saturates at ±292 years.
    public var nanoseconds: Int64 { scaled(perSecond: 1_000_000_000) }

    /// Whole microseconds, rounded towards zero; saturates.
    public var microseconds: Int64 { scaled(perSecond: 1_000_000) }

    /// Whole milliseconds, rounded towards zero; saturates.
    public var milliseconds: Int64 { scaled(perSecond: 1000) }

    /// Seconds as a floating-point number, for metrics and logs.
    public var secondsValue: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }

    private func scaled(perSecond units: Int64) -> Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: units)
        let (sum, sumOverflow) = whole.addingReportingOverflow(
            attoseconds / (1_000_000_000_000_000_000 / units))
        guard !overflow, !sumOverflow else { return seconds < 0 ? .min : .max }
        return sum
    }
}
