/// A secret that does not show itself: every description, dump and interpolation is `***`.
public struct Redacted<Value: Sendable>: Sendable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    /// The secret itself, for the one place that needs it.
    public let secret: Value

    public init(_ secret: Value) {
        self.secret = secret
    }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    /// Without children, so that `dump` of an enclosing value finds nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension Redacted: Equatable where Value: Equatable {}
extension Redacted: Hashable where Value: Hashable {}
