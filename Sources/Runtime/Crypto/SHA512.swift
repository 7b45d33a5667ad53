import CCrypto

/// SHA-512 (FIPS 180-4).
public enum SHA512 {
    public static let digestLength = 64

    /// 64 bytes.
    public static func hash(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestLength) { digest, count in
            message.withUnsafeBufferPointer {
                _ = CCrypto.SHA512($0.baseAddress, $0.count, digest.baseAddress)
            }
            count = digestLength
        }
    }
}
