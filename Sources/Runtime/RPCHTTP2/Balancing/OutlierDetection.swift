/// When an address that fails more calls than the others is left out for a while (gRFC A50).
/// Defaults are the document's.
public struct OutlierDetection: Sendable, Hashable {
    /// Ejects who succeeds less often than the mean minus so many standard deviations.
    public struct SuccessRate: Sendable, Hashable {
        /// In thousandths: 1900 is 1.9 standard deviations.
        public var deviationFactor = 1900
        /// How many of the ejections that are due happen, percent.
        public var enforcement = 100
        /// Addresses with enough calls that there must be.
        public var minimumHosts = 5
        /// Calls per interval that an address must have had.
        public var requestVolume = 100

        public init() {}
    }

    /// Ejects who fails a larger share of calls than this.
    public struct FailureShare: Sendable, Hashable {
        /// Percent.
        public var threshold = 85
        public var enforcement = 100
        public var minimumHosts = 5
        public var requestVolume = 50

        public init() {}
    }

    /// How often the calls are counted up.
    public var interval = Duration.seconds(10)
    /// Times the number of ejections in a row is how long one lasts.
    public var baseEjectionTime = Duration.seconds(30)
    public var maxEjectionTime = Duration.seconds(300)
    /// No more addresses are ejected once so many are, percent.
    public var maxEjectionPercent = 10
    /// Nil: off.
    public var successRate: SuccessRate?
    /// Nil: off.
    public var failureShare: FailureShare?

    public init() {}
}
