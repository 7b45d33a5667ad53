/// Why a TLS connection could not be made, or ended. Names OpenSSL's reason or the peer's alert.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Certificates, keys or settings that cannot be used.
        case configuration
        /// The two ends could not agree (version, cipher, application protocol).
        case handshake
        /// We refused the peer's certificate.
        case certificate
        /// The peer refused us; the number of its alert (RFC 8446 §6).
        case alert(UInt8)
        /// What came was not TLS.
        case notTLS
        /// The handshake took too long.
        case timeout
        /// The peer left in the middle.
        case closed
        /// The peer exceeded a limit.
        case limit
    }

    /// Who has to change something.
    public enum Blame: Sendable, Hashable {
        case caller, peer, us
    }

    public var code: Code
    public var message: String
    public var blame: Blame
    /// What happened underneath, in OpenSSL's or the system's words.
    public var cause: String?

    public init(_ code: Code, _ message: String, blame: Blame = .peer, cause: String? = nil) {
        self.code = code
        self.message = message
        self.blame = blame
        self.cause = cause
    }

    static func configuration(_ message: String, cause: String? = nil) -> TLSError {
        TLSError(.configuration, message, blame: .caller, cause: cause)
    }

    public var description: String {
        cause.map { "TLS: \(message) (\($0))" } ?? "TLS: \(message)"
    }
}
