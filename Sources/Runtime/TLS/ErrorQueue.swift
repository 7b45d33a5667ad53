import COpenSSL

/// OpenSSL's per-thread queue of errors. Emptied before each call whose answer is looked at.
enum ErrorQueue {
    struct Entry {
        let reason: Int32
        let isOfTLS: Bool
        let text: String

        /// The number of the alert that the peer sent.
        var alert: UInt8? {
            guard isOfTLS, reason >= SSL_AD_REASON_OFFSET else { return nil }
            return UInt8(exactly: reason - SSL_AD_REASON_OFFSET)
        }
    }

    static func clear() { ERR_clear_error() }

    /// The oldest entry, which is the cause of the others; empties the queue.
    static func take() -> Entry? {
        let code = ERR_get_error()
        defer { ERR_clear_error() }
        guard code != 0 else { return nil }
        let reason = ERR_reason_error_string(code).map { String(cString: $0) }
        return Entry(
            reason: ERR_GET_REASON(code), isOfTLS: ERR_GET_LIB(code) == ERR_LIB_SSL,
            text: reason ?? "error \(String(code, radix: 16))")
    }

    static func takeText() -> String? { take()?.text }
}
