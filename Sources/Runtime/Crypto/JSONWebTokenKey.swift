/// A signing secret with the name by which tokens refer to it (`kid`), so that secrets can be
/// rotated: verifiers hold the old and the new key, the signer only the new one.
public struct JSONWebTokenKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    public let id: String
    let secret: [UInt8]

    /// RFC 7518 section 3.2: the key is at least as long as the hash.
    public static let minimumLength = 32

    /// Nil when the secret is shorter than `minimumLength` bytes.
    public init?(id: String, secret: [UInt8]) {
        guard secret.count >= Self.minimumLength else { return nil }
        self.id = id
        self.secret = secret
    }

    public var description: String { "JSONWebTokenKey(\(id), ***)" }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}
