/// A certificate with its chain (leaf first) and the private key that belongs to it, as PEM.
public struct TLSIdentity: Sendable, Hashable {
    public var certificates: TLSSource
    public var key: TLSSource

    public init(certificates: TLSSource, key: TLSSource) {
        self.certificates = certificates
        self.key = key
    }

    public init(certificateFile: String, keyFile: String) {
        self.init(certificates: .file(certificateFile), key: .file(keyFile))
    }
}
