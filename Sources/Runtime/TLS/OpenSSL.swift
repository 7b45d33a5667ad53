import COpenSSL

/// OpenSSL without its clean-up at exit: that takes its locks away from the threads that are still
/// in it when the program ends, and they crash.
enum OpenSSL {
    /// To be asked for before anything else of it; who uses OpenSSL earlier in the same process
    /// decides for all.
    static let isReady: Void = { _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) }()
}
