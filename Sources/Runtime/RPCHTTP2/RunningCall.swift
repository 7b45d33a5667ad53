public import Environment

/// A call that a server has not finished.
public struct RunningCall: Sendable, CustomStringConvertible {
    /// `/package.Service/Method`.
    public let method: String
    /// The client's address.
    public let peer: String
    /// Since its headers arrived.
    public let age: Duration
    public let deadline: Deadline?

    public var description: String {
        let end = deadline.map { ", \($0.remaining) left" } ?? ""
        return "\(method) of \(peer) for \(age)\(end)"
    }
}
