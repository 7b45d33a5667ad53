import TLS

/// What the flags say about TLS. Plaintext unless a flag here, or an https:// address, wants it.
struct TLSSettings: Sendable {
    var isWanted = false
    var isRefused = false
    /// PEM files.
    var authorities: String?
    var certificate: String?
    var key: String?
    /// Checks nothing about the server.
    var isInsecure = false
    var serverName: String?
    /// Of the environment (SSLKEYLOGFILE).
    var keyLogFile: String?

    /// Nil for plaintext.
    /// - Throws: `Failure` when flags contradict each other or files cannot be used.
    func context(for address: Address) throws(Failure) -> TLSClientContext? {
        let flags =
            isWanted || isInsecure
            || [authorities, certificate, key, serverName]
                .contains { $0 != nil }
        guard flags || address.isSecure else { return nil }
        if isRefused { throw .usage("-plaintext and TLS exclude each other") }
        if isInsecure, authorities != nil {
            throw .usage("-insecure checks nobody, so -cacert has no use")
        }
        guard (certificate == nil) == (key == nil) else {
            throw .usage("-cert and -key belong together")
        }
        var configuration = TLSClientConfiguration(
            serverName: serverName, keyLogFile: keyLogFile?.isEmpty == true ? nil : keyLogFile)
        if let authorities { configuration.trust = .authorities(.file(authorities)) }
        if isInsecure { configuration.trust = .nobodyChecked }
        if let certificate, let key {
            configuration.identity = TLSIdentity(certificateFile: certificate, keyFile: key)
        }
        do {
            return try TLSClientContext(configuration)
        } catch {
            throw Failure("\(error)")
        }
    }
}
