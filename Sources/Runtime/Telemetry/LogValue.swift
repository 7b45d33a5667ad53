/// A value of a log field. Literals and interpolations become values by themselves.
///
/// Secrets are wrapped in `Redacted` where they are read, so that an interpolation shows `***`.
public enum LogValue: Sendable, Hashable {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)

    public init(_ value: String) { self = .string(value) }
    public init(_ value: Bool) { self = .bool(value) }
    public init(_ value: Double) { self = .double(value) }
    /// Integers above `Int64.max` are clamped.
    public init(_ value: some BinaryInteger) { self = .int(Int64(clamping: value)) }
    /// The description of anything else: errors, identifiers, instants.
    public init(describing value: some Any) { self = .string(String(describing: value)) }
    /// Milliseconds with a fraction, the unit of every duration in the log.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .double(Double(seconds) * 1e3 + Double(attoseconds / 1_000_000_000) * 1e-6)
    }
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
