import RPCHTTP2
import TLS

/// TLS on the ports of a process and towards its neighbours, when a certificate is set.
struct Encryption: Sendable {
    /// For browsers and everybody else, without client certificates.
    private let open: TLSServerContext?
    /// For services, with client certificates when there is an authority for them.
    private let closed: TLSServerContext?
    /// Towards neighbours.
    let channel: ChannelConfiguration

    /// - Throws: ``ConfigurationError`` when a file is missing or cannot be used.
    init(_ configuration: Configuration) throws(ConfigurationError) {
        var channel = ChannelConfiguration()
        guard configuration.isSet(.certificate) else {
            for other in [Setting.certificateKey, .certificateAuthority]
            where configuration.isSet(other) {
                throw ConfigurationError(
                    "\(other.name) has no use without \(Setting.certificate.name)")
            }
            (open, closed) = (nil, nil)
            self.channel = channel
            return
        }
        let identity = TLSIdentity(
            certificateFile: try configuration.required(.certificate),
            keyFile: try configuration.required(.certificateKey))
        let authority = configuration.text(.certificateAuthority).map { TLSSource.file($0) }
        var server = TLSServerConfiguration(
            identities: [identity], applicationProtocols: ["h2", "http/1.1"])
        do {
            open = try TLSServerContext(server)
            server.authorities = authority
            server.clientCertificate = authority == nil ? .none : .required
            closed = try TLSServerContext(server)
            channel.tls = try TLSClientContext(
                TLSClientConfiguration(
                    trust: authority.map { .authorities($0) } ?? .system, identity: identity))
        } catch {
            throw ConfigurationError("\(error)")
        }
        self.channel = channel
    }

    func server(_ role: Role) -> TLSServerContext? { role == .gateway ? open : closed }
}
