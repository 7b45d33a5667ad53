import COpenSSL
import Synchronization

/// One loaded version of what a client trusts and shows, and the sessions it may resume.
final class ClientMaterial: Sendable {
    /// Servers whose last session is kept.
    private static let maxSessions = 64

    let context: ContextHandle
    let protocols: ApplicationProtocols
    private let sessions = Mutex<[String: SessionHandle]>([:])

    private final class SessionHandle: @unchecked Sendable {  // immutable
        let raw: OpaquePointer
        init(owning raw: OpaquePointer) { self.raw = raw }
        deinit { SSL_SESSION_free(raw) }
    }

    init(_ configuration: TLSClientConfiguration, keyLog: KeyLog?) throws(TLSError) {
        guard configuration.minimumVersion <= configuration.maximumVersion else {
            throw .configuration("no TLS version is left")
        }
        protocols = try ApplicationProtocols(configuration.applicationProtocols)
        context = try ContextHandle(
            TLS_client_method(),
            versions: configuration.minimumVersion...configuration.maximumVersion,
            keyLog: keyLog)
        if let identity = configuration.identity { try context.use(identity) }
        switch configuration.trust {
        case .system: try context.trustSystem()
        case .authorities(let source): try context.trust(source, asking: false)
        case .nobodyChecked: break
        }
        let isChecked = configuration.trust != .nobodyChecked
        SSL_CTX_set_verify(
            context.raw, isChecked ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
            isChecked ? TLSSession.didVerify : nil)
        janji_ctx_set_session_cache(context.raw, 1)
        SSL_CTX_sess_set_new_cb(context.raw) { ssl, session in
            guard let ssl, let session, let owner = TLSSession.of(ssl) else { return 0 }
            return owner.keep(session) ? 1 : 0
        }
    }

    /// Takes over the reference.
    func keep(_ session: OpaquePointer, for server: String) {
        let handle = SessionHandle(owning: session)
        sessions.withLock { sessions in
            if sessions.count >= ClientMaterial.maxSessions, sessions[server] == nil {
                sessions.removeAll()
            }
            sessions[server] = handle
        }
    }

    /// A session is resumed once (RFC 8446 §C.4); the server gives a new one each time.
    func resume(_ ssl: OpaquePointer, for server: String) {
        guard let session = sessions.withLock({ $0.removeValue(forKey: server) }) else { return }
        SSL_set_session(ssl, session.raw)
    }
}
