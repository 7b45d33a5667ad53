/// How a client speaks TLS.
public struct TLSClientConfiguration: Sendable {
    /// Whose word about a server counts.
    public enum Trust: Sendable, Hashable {
        /// The authorities of the system.
        case system
        case authorities(TLSSource)
        /// Anybody is believed. For tools; never for services.
        case nobodyChecked
    }

    public var trust: Trust
    /// Shown to servers that ask for a certificate.
    public var identity: TLSIdentity?
    /// The name that is asked for (SNI) and checked, instead of the host that is connected to.
    public var serverName: String?
    public var minimumVersion: TLSVersion
    public var maximumVersion: TLSVersion
    /// By ALPN; a server that takes none of them is refused.
    public var applicationProtocols: [String]
    public var handshakeTimeout: Duration
    /// Where the secrets of every connection are written, for Wireshark. Debugging only.
    public var keyLogFile: String?

    public init(
        trust: Trust = .system, identity: TLSIdentity? = nil, serverName: String? = nil,
        minimumVersion: TLSVersion = .tls12, maximumVersion: TLSVersion = .tls13,
        applicationProtocols: [String] = ["h2"],
        handshakeTimeout: Duration = .seconds(10), keyLogFile: String? = nil
    ) {
        self.trust = trust
        self.identity = identity
        self.serverName = serverName
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.applicationProtocols = applicationProtocols
        self.handshakeTimeout = handshakeTimeout
        self.keyLogFile = keyLogFile
    }

    var sources: [TLSSource?] {
        var sources: [TLSSource?] = [identity?.certificates, identity?.key]
        if case .authorities(let source) = trust { sources.append(source) }
        return sources
    }
}
