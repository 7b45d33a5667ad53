import CCrypto

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    public static let digestLength = 32

    /// 32 bytes.
    public static func hash(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestLength) { digest, count in
            message.withUnsafeBufferPointer {
                _ = CCrypto.SHA256($0.baseAddress, $0.count, digest.baseAddress)
            }
            count = digestLength
        }
    }
}
