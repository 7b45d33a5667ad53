import COpenSSL

/// One loaded version of a server's certificates: what a handshake works with. Immutable; kept
/// alive by the sessions that began with it.
final class ServerMaterial: Sendable {
    private let contexts: [ContextHandle]
    private let certificates: [TLSCertificate]
    private let protocols: ApplicationProtocols

    var context: ContextHandle { contexts[0] }
    /// The default certificate.
    var certificate: TLSCertificate { certificates[0] }

    init(_ configuration: TLSServerConfiguration, keyLog: KeyLog?) throws(TLSError) {
        guard !configuration.identities.isEmpty else {
            throw .configuration("a TLS server needs a certificate")
        }
        guard configuration.minimumVersion <= configuration.maximumVersion else {
            throw .configuration("no TLS version is left")
        }
        protocols = try ApplicationProtocols(configuration.applicationProtocols)
        var contexts: [ContextHandle] = []
        var certificates: [TLSCertificate] = []
        for identity in configuration.identities {
            let context = try ContextHandle(
                TLS_server_method(),
                versions: configuration.minimumVersion...configuration.maximumVersion,
                keyLog: keyLog)
            certificates.append(try context.use(identity))
            try ServerMaterial.ask(context, configuration)
            contexts.append(context)
        }
        self.contexts = contexts
        self.certificates = certificates
        for context in contexts { install(on: context.raw) }
    }

    private static func ask(
        _ context: ContextHandle, _ configuration: TLSServerConfiguration
    ) throws(TLSError) {
        // Sessions live in the client's ticket, not in our memory. One is enough: connections
        // last. A resumed session keeps its certificate, hence the context name.
        janji_ctx_set_session_cache(context.raw, 0)
        SSL_CTX_set_num_tickets(context.raw, 1)
        SSL_CTX_set_session_id_context(context.raw, Array("janji".utf8), 5)
        guard configuration.clientCertificate != .none else { return }
        guard let authorities = configuration.authorities else {
            throw .configuration("client certificates are asked for, but nobody vouches for them")
        }
        try context.trust(authorities, asking: true)
        var mode = SSL_VERIFY_PEER
        if configuration.clientCertificate == .required { mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT }
        SSL_CTX_set_verify(context.raw, mode, TLSSession.didVerify)
    }

    private static func of(_ argument: UnsafeMutableRawPointer?) -> ServerMaterial? {
        argument.map { Unmanaged<ServerMaterial>.fromOpaque($0).takeUnretainedValue() }
    }

    private func install(on context: OpaquePointer) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, chosenLength, offered, count, argument in
                let offered = UnsafeBufferPointer(start: offered, count: Int(count))
                guard let name = ServerMaterial.of(argument)?.protocols.choose(from: offered) else {
                    return SSL_TLSEXT_ERR_ALERT_FATAL
                }
                chosen?.pointee = name.baseAddress
                chosenLength?.pointee = UInt8(name.count)
                return SSL_TLSEXT_ERR_OK
            }, me)
        if !protocols.areOptional {
            SSL_CTX_set_client_hello_cb(
                context,
                { ssl, alert, _ in
                    var start: UnsafePointer<UInt8>?
                    var count = 0
                    let alpn = UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation)
                    if SSL_client_hello_get0_ext(ssl, alpn, &start, &count) == 1 {
                        return SSL_CLIENT_HELLO_SUCCESS
                    }
                    alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
                    return SSL_CLIENT_HELLO_ERROR
                }, nil)
        }
        guard contexts.count > 1 else { return }
        janji_ctx_set_server_name_callback(
            context,
            { ssl, _, argument in
                guard let ssl, let material = ServerMaterial.of(argument),
                    let text = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
                    let context = material.context(for: String(cString: text))
                else { return SSL_TLSEXT_ERR_NOACK }
                SSL_set_SSL_CTX(ssl, context.raw)
                return SSL_TLSEXT_ERR_OK
            }, me)
    }

    private func context(for host: String) -> ContextHandle? {
        let index =
            certificates.firstIndex { $0.matches(host, allowingWildcard: false) }
            ?? certificates.firstIndex { $0.matches(host, allowingWildcard: true) }
        return index.map { contexts[$0] }
    }
}
