import CCrypto

/// HMAC with SHA-256 (RFC 2104).
public enum HMACSHA256 {
    /// 32 bytes.
    public static func sign(key: [UInt8], message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: SHA256.digestLength) { digest, count in
            let result = key.withUnsafeBufferPointer { key in
                message.withUnsafeBufferPointer { message in
                    HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress,
                        message.count, digest.baseAddress, nil)
                }
            }
            precondition(result != nil, "libcrypto cannot compute HMAC-SHA-256")
            count = SHA256.digestLength
        }
    }

    /// Whether `signature` is right, in a time that does not depend on where it is wrong.
    public static func verify(_ signature: [UInt8], key: [UInt8], message: [UInt8]) -> Bool {
        constantTimeEqual(signature, sign(key: key, message: message))
    }
}
