import COpenSSL

/// Owns an `SSL_CTX` with what both roles set the same way. Not changed once it is in use.
final class ContextHandle: @unchecked Sendable {
    let raw: OpaquePointer
    private let keyLog: KeyLog?

    /// Forward secrecy and AEAD only (RFC 9113 §9.2.2).
    private static let ciphersOfTLS12 =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        + "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let ciphersOfTLS13 =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    init(
        _ method: OpaquePointer?, versions: ClosedRange<TLSVersion>, keyLog: KeyLog?
    ) throws(TLSError) {
        OpenSSL.isReady
        ErrorQueue.clear()
        guard let raw = SSL_CTX_new(method) else {
            throw .configuration("OpenSSL makes no context", cause: ErrorQueue.takeText())
        }
        self.raw = raw
        self.keyLog = keyLog
        janji_ctx_set_rules(raw, versions.lowerBound.raw, versions.upperBound.raw)
        guard SSL_CTX_set_cipher_list(raw, ContextHandle.ciphersOfTLS12) == 1,
            SSL_CTX_set_ciphersuites(raw, ContextHandle.ciphersOfTLS13) == 1
        else { throw .configuration("OpenSSL lacks the ciphers", cause: ErrorQueue.takeText()) }
        keyLog?.install(on: raw)
    }

    deinit { SSL_CTX_free(raw) }

    /// - Returns: the leaf.
    /// - Throws: also when the key does not belong to the certificate.
    @discardableResult
    func use(_ identity: TLSIdentity) throws(TLSError) -> TLSCertificate {
        let chain = try X509Handle.all(in: identity.certificates)
        let key = try PrivateKey(identity.key)
        ErrorQueue.clear()
        guard SSL_CTX_use_certificate(raw, chain[0].raw) == 1 else {
            throw .configuration(
                "\(identity.certificates.name) cannot be used", cause: ErrorQueue.takeText())
        }
        for certificate in chain.dropFirst()
        where janji_ctx_add_chain(raw, certificate.raw) != 1 {
            throw .configuration(
                "a chain certificate of \(identity.certificates.name) cannot be used",
                cause: ErrorQueue.takeText())
        }
        guard SSL_CTX_use_PrivateKey(raw, key.raw) == 1, SSL_CTX_check_private_key(raw) == 1 else {
            throw .configuration(
                "the key in \(identity.key.name) does not belong to the certificate in "
                    + identity.certificates.name, cause: ErrorQueue.takeText())
        }
        return TLSCertificate(chain[0])
    }

    /// - Parameter asking: whether peers are told these names as the ones that count.
    func trust(_ source: TLSSource, asking: Bool) throws(TLSError) {
        let store = SSL_CTX_get_cert_store(raw)
        for authority in try X509Handle.all(in: source) {
            guard X509_STORE_add_cert(store, authority.raw) == 1 else {
                throw .configuration(
                    "an authority of \(source.name) cannot be used", cause: ErrorQueue.takeText())
            }
            if asking { SSL_CTX_add_client_CA(raw, authority.raw) }
        }
    }

    func trustSystem() throws(TLSError) {
        guard SSL_CTX_set_default_verify_paths(raw) == 1 else {
            throw .configuration(
                "the system's authorities cannot be read", cause: ErrorQueue.takeText())
        }
    }
}
