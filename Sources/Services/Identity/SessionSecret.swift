import Crypto
import Environment

/// What a browser holds: 256 random bits. Told once, kept as a hash.
struct SessionSecret: Sendable, Hashable {
    let bytes: [UInt8]

    static let length = 32

    static func random() -> SessionSecret { SessionSecret(bytes: SystemRandom.bytes(length)) }

    /// As in the cookie: 43 characters of base64url.
    var text: String { Base64.encode(bytes, variant: .url) }

    /// What the table knows.
    var hash: [UInt8] { SHA256.hash(bytes) }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Nil for what no secret looks like.
    init?(_ text: String) {
        guard text.utf8.count == 43, let bytes = Base64.decode(text, variant: .url),
            bytes.count == Self.length
        else { return nil }
        self.bytes = bytes
    }
}
