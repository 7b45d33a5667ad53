import COpenSSL

/// One TLS connection without its socket: bytes of the peer in, plaintext out, and the reverse.
/// Confined to the thread (loop) of its owner.
///
///     bytes -> receive -> plaintext, to the closure
///     write(plaintext) / start / close -> output -> takeOutput -> bytes
///
/// After each call, also one that threw, the owner sends what `takeOutput` has: an alert may be
/// in it. Memory: what `receive` could not deliver because the owner paused, and what was not
/// taken yet; OpenSSL adds a record of 16 KiB while one is incomplete and at most 100 KiB of
/// certificates during the handshake.
public final class TLSSession {
    public enum Role: Sendable {
        case server, client
    }

    /// What the two ends agreed on.
    public struct Agreement: Sendable, Hashable {
        /// `TLSv1.3`.
        public var version: String
        /// `TLS_AES_128_GCM_SHA256`.
        public var cipher: String
        /// By ALPN, for example `h2`.
        public var applicationProtocol: String?
        /// The handshake was shortened by an earlier one.
        public var isResumed: Bool
    }

    /// The largest plaintext of a record (RFC 8446 §5.1).
    private static let maxRecord = 16 << 10
    /// Records under one key before a new one: AES-GCM is good for 2^24.5 (RFC 8446 §5.5), and
    /// OpenSSL does not count.
    static let recordsPerKey = 1 << 23
    /// Memory for output that a session keeps while it has none.
    private static let keptOutput = 4 << 10

    public let role: Role
    let ssl: OpaquePointer
    /// Keeps the callbacks' targets alive.
    private let server: ServerMaterial?
    private let client: ClientMaterial?
    /// The name that the client asked for and checks.
    let serverName: String?

    /// Set when the handshake is over.
    public private(set) var agreement: Agreement?
    /// `close_notify` came: the peer sends nothing more.
    public private(set) var peerHasClosed = false
    var hasFailed = false
    /// The peer's certificate that was refused, for the error.
    var refused: TLSCertificate?
    /// The first bytes that came, to tell other protocols by.
    private(set) var opening: [UInt8] = []

    @exclusivity(unchecked) private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    @exclusivity(unchecked) private var output: [UInt8] = []
    private var recordsLeft: Int
    /// Received while the owner did not want any.
    private var held: [UInt8] = []
    private var isPaused = false

    /// A server's end.
    public convenience init(_ context: TLSServerContext) throws(TLSError) {
        let material = context.material
        try self.init(.server, material.context, server: material)
        SSL_set_accept_state(ssl)
    }

    /// A client's end. Call ``start()`` next.
    /// - Parameter host: the host or IP address that was asked for; the configuration's
    ///   `serverName` wins.
    public convenience init(_ context: TLSClientContext, host: String) throws(TLSError) {
        let material = context.material
        let name = context.configuration.serverName ?? host
        try self.init(.client, material.context, client: material, serverName: name)
        SSL_set_connect_state(ssl)
        SSL_set_alpn_protos(ssl, material.protocols.wire, UInt32(material.protocols.wire.count))
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) != 1 {
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            guard !name.isEmpty, SSL_set1_host(ssl, name) == 1,
                janji_set_server_name(ssl, name) == 1
            else { throw .configuration("“\(name)” cannot be the name of a TLS server") }
        }
        ErrorQueue.clear()
        material.resume(ssl, for: name)
    }

    private init(
        _ role: Role, _ context: ContextHandle, server: ServerMaterial? = nil,
        client: ClientMaterial? = nil, serverName: String? = nil
    ) throws(TLSError) {
        ErrorQueue.clear()
        guard let ssl = SSL_new(context.raw) else {
            throw .configuration("OpenSSL makes no session", cause: ErrorQueue.takeText())
        }
        self.role = role
        self.ssl = ssl
        self.server = server
        self.client = client
        self.serverName = serverName
        recordsLeft = TLSSession.recordsPerKey
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        let bio = MemoryBIO.make(for: self)
        SSL_set_bio(ssl, bio, bio)
    }

    deinit {
        // Else OpenSSL takes a missing goodbye for a reason never to resume the session.
        if agreement != nil, !hasFailed {
            SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        }
        SSL_free(ssl)
    }

    static func of(_ ssl: OpaquePointer) -> TLSSession? {
        SSL_get_ex_data(ssl, 0).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: The peer's bytes

    /// A client's first flight is output after this.
    public func start() throws(TLSError) { try shakeHands() }

    /// Takes bytes of the peer.
    /// - Parameter deliver: gets plaintext, valid during the call; false pauses until ``resume(_:)``
    ///   and keeps what is left.
    /// - Throws: when the connection cannot go on.
    public func receive(
        _ bytes: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Bool
    ) throws(TLSError) {
        if opening.count < 5 { opening += bytes.prefix(5 - opening.count) }
        guard !isPaused, held.isEmpty else {
            held += bytes
            return
        }
        try process(bytes, deliver)
    }

    /// Delivers what was held back, and goes on.
    public func resume(_ deliver: (UnsafeRawBufferPointer) -> Bool) throws(TLSError) {
        isPaused = false
        let bytes = held
        held = []
        // Typed errors do not pass through `withUnsafeBytes`.
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(TLSError) in try process(bytes, deliver) }
        }
        try result.get()
    }

    /// Whether ``resume(_:)`` has something to do.
    public var holdsBytes: Bool { isPaused }

    private func process(
        _ bytes: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Bool
    ) throws(TLSError) {
        input = bytes
        defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
        if agreement == nil {
            try shakeHands()
            if agreement == nil { return }
        }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TLSSession.maxRecord, alignment: 16)
        defer { scratch.deallocate() }
        while !peerHasClosed {
            ErrorQueue.clear()
            let count = SSL_read(ssl, scratch.baseAddress, Int32(scratch.count))
            guard count > 0 else { return try stop(after: count) }
            let plaintext = UnsafeRawBufferPointer(rebasing: scratch[..<Int(count)])
            if deliver(plaintext) { continue }
            isPaused = true
            held = Array(input)
            return
        }
    }

    private func stop(after code: Int32) throws(TLSError) {
        switch SSL_get_error(ssl, code) {
        case SSL_ERROR_WANT_READ: return
        case SSL_ERROR_ZERO_RETURN: peerHasClosed = true
        default: throw failure()
        }
    }

    private func shakeHands() throws(TLSError) {
        ErrorQueue.clear()
        let code = SSL_do_handshake(ssl)
        guard code == 1 else { return try stop(after: code) }
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        let chosen = UnsafeBufferPointer(start: name, count: Int(count))
        let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))
        agreement = Agreement(
            version: String(cString: SSL_get_version(ssl)),
            cipher: cipher.map { String(cString: $0) } ?? "",
            applicationProtocol: chosen.isEmpty ? nil : String(decoding: chosen, as: UTF8.self),
            isResumed: SSL_session_reused(ssl) == 1)
        opening = []
        guard let client, chosen.isEmpty, !client.protocols.areOptional else { return }
        throw TLSError(
            .handshake,
            "the server agreed to no application protocol: it does not speak HTTP/2 "
                + "on this port, or its TLS lacks ALPN")
    }

    /// The peer ended its direction (FIN). Cutting a connection short is not an error here: the
    /// protocols above know where their messages end.
    /// - Throws: when that was during the handshake.
    public func receiveEnd() throws(TLSError) {
        guard agreement == nil else { return }
        throw TLSError(
            .closed, "the \(peerWord) closed the connection during the TLS handshake")
    }

    // MARK: Our bytes

    /// Encrypts. Before the handshake is over nothing may be written.
    public func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        guard !plaintext.isEmpty else { return }
        // Each record adds up to 29 bytes.
        output.reserveCapacity(
            output.count + plaintext.count + 32 * (plaintext.count / TLSSession.maxRecord + 2))
        let records = plaintext.count / TLSSession.maxRecord + 1
        if recordsLeft < records { updateKey(wantingTheirs: false) }
        recordsLeft -= records
        ErrorQueue.clear()
        var count = 0
        guard SSL_write_ex(ssl, plaintext.baseAddress, plaintext.count, &count) == 1 else {
            throw failure()
        }
    }

    /// The next write begins with a new key of ours (TLS 1.3 only).
    func updateKey(wantingTheirs: Bool) {
        recordsLeft = TLSSession.recordsPerKey
        guard SSL_version(ssl) == TLS1_3_VERSION else { return }
        SSL_key_update(ssl, wantingTheirs ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED)
    }

    /// Says goodbye (`close_notify`).
    public func close() {
        guard agreement != nil else { return }
        ErrorQueue.clear()
        SSL_shutdown(ssl)
        ErrorQueue.clear()
    }

    /// Bytes that wait to be taken.
    public var outputCount: Int { output.count }

    /// Hands over what is to be sent.
    public func takeOutput(_ send: (UnsafeRawBufferPointer) -> Void) {
        guard !output.isEmpty else { return }
        let bytes = output
        output = []
        bytes.withUnsafeBytes(send)
        guard output.isEmpty, bytes.capacity <= TLSSession.keptOutput else { return }
        output = bytes
        output.removeAll(keepingCapacity: true)
    }

    // MARK: For OpenSSL

    func takeInput(_ target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, input.count)
        guard count > 0 else { return 0 }
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    func appendOutput(_ bytes: some Sequence<UInt8>) { output.append(contentsOf: bytes) }

    /// A session that may be resumed later. Takes over the reference if it returns true.
    func keep(_ session: OpaquePointer) -> Bool {
        guard let client, let serverName else { return false }
        client.keep(session, for: serverName)
        return true
    }

    // MARK: The peer

    /// Nil when it showed none.
    public var peerCertificate: TLSCertificate? {
        SSL_get0_peer_certificate(ssl).map { TLSCertificate(X509Handle(sharing: $0)) }
    }

    /// Ours; nil when we showed none.
    public var localCertificate: TLSCertificate? {
        SSL_get_certificate(ssl).map { TLSCertificate(X509Handle(sharing: $0)) }
    }

    var peerWord: String { role == .server ? "client" : "server" }
}
