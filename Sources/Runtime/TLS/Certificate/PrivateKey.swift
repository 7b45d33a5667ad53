import COpenSSL

/// Owns one reference of an `EVP_PKEY`.
final class PrivateKey {
    let raw: OpaquePointer

    init(_ source: TLSSource) throws(TLSError) {
        OpenSSL.isReady
        let bytes = try source.contents()
        ErrorQueue.clear()
        guard let bio = BIO_new_mem_buf(bytes, Int32(bytes.count)) else {
            throw .configuration("no memory for \(source.name)")
        }
        defer { withExtendedLifetime(bytes) { _ = BIO_free(bio) } }
        // Without a callback OpenSSL would ask for a pass phrase at the terminal.
        let key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
        guard let key else {
            let text = String(decoding: bytes.prefix(4096), as: UTF8.self)
            let isLocked = text.contains("ENCRYPTED")
            throw .configuration(
                isLocked
                    ? "the private key in \(source.name) is encrypted; give it without pass phrase"
                    : "\(source.name) holds no usable private key in PEM form",
                cause: ErrorQueue.takeText())
        }
        raw = key
    }

    deinit { EVP_PKEY_free(raw) }
}
