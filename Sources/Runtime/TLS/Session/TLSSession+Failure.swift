import COpenSSL

/// What OpenSSL's errors mean, in sentences.
extension TLSSession {
    /// Notes which certificate is refused; OpenSSL's verdict stands.
    static let didVerify: @convention(c) (Int32, OpaquePointer?) -> Int32 = { verdict, store in
        guard verdict == 0, let store else { return verdict }
        let index = SSL_get_ex_data_X509_STORE_CTX_idx()
        guard let data = X509_STORE_CTX_get_ex_data(store, index),
            let session = TLSSession.of(OpaquePointer(data))
        else { return verdict }
        let raw = X509_STORE_CTX_get_current_cert(store) ?? X509_STORE_CTX_get0_cert(store)
        session.refused = raw.map { TLSCertificate(X509Handle(sharing: $0)) }
        return verdict
    }

    /// The error of the call that just failed.
    func failure() -> TLSError {
        let entry = ErrorQueue.take()
        hasFailed = true
        if agreement == nil, let guess = otherProtocol() {
            if role == .server { appendOutput(TLSSession.farewell(opening)) }
            return TLSError(.notTLS, guess, cause: entry?.text)
        }
        if let alert = entry?.alert { return refusal(alert, entry?.text) }
        switch entry?.reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED: return certificateFailure()
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSError(
                .certificate, "the client showed no certificate, and one is required")
        case SSL_R_CALLBACK_FAILED where role == .server,
            SSL_R_NO_APPLICATION_PROTOCOL:
            return TLSError(
                .handshake, "the client offered no application protocol of ours (ALPN)",
                cause: entry?.text)
        default:
            let stage = agreement == nil ? "the handshake failed" : "the connection broke"
            return TLSError(.handshake, "\(stage): \(entry?.text ?? "for no stated reason")")
        }
    }

    private func certificateFailure() -> TLSError {
        let code = Int32(SSL_get_verify_result(ssl))
        let text = X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "\(code)"
        var message = "the \(peerWord)'s certificate is refused: \(text)"
        if code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH,
            let refused, let serverName
        {
            message += ": it is for \(refused.shownNames), not for \(serverName)"
        } else if let refused {
            message += " (\(refused.subject))"
        }
        return TLSError(.certificate, message)
    }

    private func refusal(_ alert: UInt8, _ cause: String?) -> TLSError {
        let name = String(cString: SSL_alert_desc_string_long(Int32(alert)))
        let hint: String? =
            switch Int32(alert) {
            case SSL_AD_CERTIFICATE_REQUIRED: "it wants a certificate from us"
            case SSL_AD_UNKNOWN_CA: "it does not trust who issued our certificate"
            case SSL_AD_BAD_CERTIFICATE, SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_REVOKED,
                SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNSUPPORTED_CERTIFICATE:
                "it refused our certificate"
            case SSL_AD_PROTOCOL_VERSION: "it speaks no TLS version of ours"
            case SSL_AD_NO_APPLICATION_PROTOCOL: "it does not speak HTTP/2 there (ALPN)"
            case SSL_AD_UNRECOGNIZED_NAME: "it has no certificate for \(serverName ?? "that name")"
            case SSL_AD_HANDSHAKE_FAILURE:
                role == .client ? "no cipher in common, or it wants a certificate" : nil
            default: nil
            }
        let text = "the \(peerWord) sent the alert “\(name)” (\(alert))"
        return TLSError(.alert(alert), hint.map { "\(text): \($0)" } ?? text, cause: cause)
    }

    /// What somebody who does not speak TLS is told: OpenSSL is silent. A fatal alert
    /// `protocol_version` (RFC 8446 §6.2), by which our own channel knows; for HTTP/1 a sentence.
    private static func farewell(_ opening: [UInt8]) -> [UInt8] {
        guard opening.allSatisfy({ 0x20...0x5A ~= $0 }), !opening.starts(with: Array("PRI".utf8))
        else { return [21, 3, 3, 0, 2, 2, 70] }
        let text = "This port is for TLS.\n"
        return Array(
            ("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
                + "content-length: \(text.utf8.count)\r\n\r\n\(text)").utf8)
    }

    /// What the peer speaks, when its first bytes are no TLS record (RFC 8446 §5.1: handshake 22,
    /// alert 21, then the version 3).
    private func otherProtocol() -> String? {
        guard let first = opening.first else { return nil }
        if first == 22 || first == 21 && role == .client, opening.dropFirst().first ?? 3 == 3 {
            return nil
        }
        if role == .server {
            let text = String(decoding: opening, as: UTF8.self)
            if text.hasPrefix("PRI") {
                return "the client speaks plaintext HTTP/2, this port is for TLS"
            }
            if opening.allSatisfy({ 0x41...0x5A ~= $0 || $0 == 0x20 || $0 == 0x2F }) {
                return "the client speaks plaintext HTTP/1, this port is for TLS"
            }
            return "the client does not speak TLS"
        }
        if opening.starts(with: Array("HTTP".utf8)) {
            return "the server speaks plaintext HTTP/1 on this port, not TLS"
        }
        // A frame header of HTTP/2: three bytes of length, then SETTINGS (4) or GOAWAY (7).
        if first == 0, opening.count > 3, opening[3] == 4 || opening[3] == 7 {
            return "the server speaks plaintext HTTP/2 on this port, not TLS"
        }
        return "the server does not speak TLS on this port"
    }
}
