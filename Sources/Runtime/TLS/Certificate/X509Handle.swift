import COpenSSL

/// Owns one reference of an `X509`, which nobody changes: any thread may read it.
final class X509Handle: @unchecked Sendable {
    let raw: OpaquePointer

    /// Takes the reference over.
    init(owning raw: OpaquePointer) { self.raw = raw }

    /// Takes a reference of its own.
    init(sharing raw: OpaquePointer) {
        X509_up_ref(raw)
        self.raw = raw
    }

    deinit { X509_free(raw) }

    /// All certificates of a PEM document; other blocks in it are skipped.
    /// - Throws: when there is none, or one is malformed.
    static func all(in source: TLSSource) throws(TLSError) -> [X509Handle] {
        OpenSSL.isReady
        let bytes = try source.contents()
        ErrorQueue.clear()
        guard let bio = BIO_new_mem_buf(bytes, Int32(bytes.count)) else {
            throw .configuration("no memory for \(source.name)")
        }
        // `bytes` outlives the BIO, which does not copy.
        defer { withExtendedLifetime(bytes) { _ = BIO_free(bio) } }
        var certificates: [X509Handle] = []
        while let raw = PEM_read_bio_X509(bio, nil, nil, nil) {
            certificates.append(X509Handle(owning: raw))
        }
        let error = ErrorQueue.take()
        guard !certificates.isEmpty, error == nil || error?.reason == PEM_R_NO_START_LINE else {
            throw .configuration(
                "\(source.name) holds no usable certificate in PEM form", cause: error?.text)
        }
        return certificates
    }
}
