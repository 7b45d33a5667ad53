public import Loop
public import TLS

/// The other end of a call's connection; one object per connection, shared by its calls.
public final class Peer: Sendable, CustomStringConvertible {
    /// `127.0.0.1:4711`, `unix:/run/x.sock` or `in-process`.
    public let address: String
    /// The process at the other end of a UNIX socket, as the system vouches for it.
    public let unixCredentials: UnixCredentials?
    private let findCertificate: (@Sendable () -> TLSCertificate?)?

    public init(
        address: String, unixCredentials: UnixCredentials? = nil,
        certificate: (@Sendable () -> TLSCertificate?)? = nil
    ) {
        self.address = address
        self.unixCredentials = unixCredentials
        findCertificate = certificate
    }

    public static let inProcess = Peer(address: "in-process")

    /// What the peer showed over TLS, verified; its fields are read when they are asked for. Nil
    /// without TLS, and for clients that showed none.
    public var certificate: TLSCertificate? { findCertificate?() }

    public var description: String { address }
}
