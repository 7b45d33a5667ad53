import CCrypto

/// SHA-1 (FIPS 180-4). Broken as a signature: only for the WebSocket handshake (RFC 6455
/// section 1.3), where it is no protection but a proof of having read the request.
public enum SHA1 {
    public static let digestLength = 20

    /// 20 bytes.
    public static func hash(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestLength) { digest, count in
            message.withUnsafeBufferPointer {
                _ = CCrypto.SHA1($0.baseAddress, $0.count, digest.baseAddress)
            }
            count = digestLength
        }
    }
}
