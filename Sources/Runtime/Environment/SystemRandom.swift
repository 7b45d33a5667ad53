import Glibc

/// Random bytes from the kernel, good enough for keys and tokens: getrandom(2) by way of
/// getentropy(3).
public enum SystemRandom {
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    static func words() -> (UInt64, UInt64) {
        var words: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &words) { fill($0) }
        return words
    }

    /// Fills the whole buffer. Traps when the kernel refuses, which after boot it never does: to
    /// go on with predictable bytes would be worse.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard let base = buffer.baseAddress else { return }
        for start in stride(from: 0, to: buffer.count, by: 256) {
            // glibc's getentropy is getrandom(2) in a loop for EINTR, at most 256 bytes a call;
            // sys/random.h itself is missing from the Glibc module map.
            guard getentropy(base + start, min(256, buffer.count - start)) == 0 else {
                preconditionFailure("getentropy failed with errno \(errno)")
            }
        }
    }
}
