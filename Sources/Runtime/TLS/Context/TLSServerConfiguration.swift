/// How a server speaks TLS.
public struct TLSServerConfiguration: Sendable {
    /// Whether clients have to show a certificate that `authorities` vouch for (mTLS).
    public enum ClientCertificate: Sendable, Hashable {
        case none, optional, required
    }

    /// At least one. A client that names a host (SNI) gets the first whose certificate is for it
    /// exactly, then the first that is by wildcard; everybody else gets the first of all.
    public var identities: [TLSIdentity]
    public var clientCertificate: ClientCertificate
    /// Who vouches for clients; needed unless `clientCertificate` is none.
    public var authorities: TLSSource?
    public var minimumVersion: TLSVersion
    public var maximumVersion: TLSVersion
    /// By ALPN, best first. A client that offers none of them is refused with
    /// `no_application_protocol`; so is one that offers nothing, unless `http/1.1` is among them.
    public var applicationProtocols: [String]
    /// From the first byte to the end of the handshake.
    public var handshakeTimeout: Duration
    /// How often changed files are looked for; nil: never.
    public var reloadInterval: Duration?
    /// Where the secrets of every connection are written, for Wireshark. Debugging only: who has
    /// the file can read the traffic.
    public var keyLogFile: String?

    public init(
        identities: [TLSIdentity], clientCertificate: ClientCertificate = .none,
        authorities: TLSSource? = nil, minimumVersion: TLSVersion = .tls12,
        maximumVersion: TLSVersion = .tls13,
        applicationProtocols: [String] = ["h2"], handshakeTimeout: Duration = .seconds(10),
        reloadInterval: Duration? = .seconds(10), keyLogFile: String? = nil
    ) {
        self.identities = identities
        self.clientCertificate = clientCertificate
        self.authorities = authorities
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.applicationProtocols = applicationProtocols
        self.handshakeTimeout = handshakeTimeout
        self.reloadInterval = reloadInterval
        self.keyLogFile = keyLogFile
    }

    var sources: [TLSSource?] {
        identities.flatMap { [$0.certificates, $0.key] } + [authorities]
    }
}
