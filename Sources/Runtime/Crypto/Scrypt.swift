import CCrypto

/// The scrypt password-based key derivation (RFC 7914).
///
/// Slow and large on purpose: call it in `EventLoop.blocking`, never on a loop.
public enum Scrypt {
    public struct Parameters: Sendable, Hashable {
        /// CPU and memory cost N, a power of two above 1. Memory is `128 * cost * blockSize`.
        public var cost: Int
        /// r
        public var blockSize: Int
        /// p
        public var parallelism: Int

        public init(cost: Int = 1 << 17, blockSize: Int = 8, parallelism: Int = 1) {
            self.cost = cost
            self.blockSize = blockSize
            self.parallelism = parallelism
        }
    }

    /// The most memory that one derivation may take: parameters may come from stored data.
    public static let memoryLimit = 256 << 20

    /// Derives `count` bytes.
    ///
    /// - Throws: `invalidParameters` when the parameters break RFC 7914 or `memoryLimit`;
    ///   `outOfMemory` when this machine has less.
    public static func derive(
        password: [UInt8], salt: [UInt8], parameters: Parameters = Parameters(), count: Int = 32
    ) throws(CryptoError) -> [UInt8] {
        let cost = parameters.cost
        let small = 1...(1 << 16)
        guard cost > 1, cost <= 1 << 24, cost & (cost - 1) == 0,
            small.contains(parameters.blockSize), small.contains(parameters.parallelism),
            small.contains(count),
            memory(parameters) <= memoryLimit
        else {
            throw CryptoError(
                .invalidParameters, "scrypt cannot work with \(parameters)", blame: .caller)
        }
        var key = [UInt8](repeating: 0, count: count)
        let result = password.withUnsafeBytes { password in
            salt.withUnsafeBufferPointer { salt in
                key.withUnsafeMutableBufferPointer { key in
                    EVP_PBE_scrypt(
                        password.baseAddress?.assumingMemoryBound(to: CChar.self), password.count,
                        salt.baseAddress, salt.count, UInt64(cost), UInt64(parameters.blockSize),
                        UInt64(parameters.parallelism), UInt64(memoryLimit), key.baseAddress,
                        count)
                }
            }
        }
        guard result == 1 else {
            // The parameters were checked above, so libcrypto found no memory.
            throw CryptoError(
                .outOfMemory, "scrypt failed for \(parameters)", blame: .us,
                cause: "EVP_PBE_scrypt returned \(result)")
        }
        return key
    }

    /// What libcrypto allocates: p blocks of 128 r bytes and N + 2 of 128 r.
    private static func memory(_ parameters: Parameters) -> Int {
        128 * parameters.blockSize * (parameters.parallelism + parameters.cost + 2)
    }
}
