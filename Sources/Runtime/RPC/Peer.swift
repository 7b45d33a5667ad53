/// The other end of a call's connection; one object per connection, shared by its calls.
public final class Peer: Sendable, CustomStringConvertible {
    /// `127.0.0.1:4711`, `unix:/run/x.sock` or `in-process`.
    public let address: String

    public init(address: String) {
        self.address = address
    }

    public static let inProcess = Peer(address: "in-process")

    public var description: String { address }
}
