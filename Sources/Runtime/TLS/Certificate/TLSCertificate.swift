import COpenSSL
import Glibc

/// An X.509 certificate; its fields are read when they are asked for. Any thread.
public struct TLSCertificate: Sendable {
    private let handle: X509Handle

    init(_ handle: X509Handle) { self.handle = handle }

    /// The first certificate of a PEM document.
    public init(_ source: TLSSource) throws(TLSError) {
        handle = try X509Handle.all(in: source)[0]
    }

    /// The distinguished name, as in RFC 2253: `CN=client,O=Example`.
    public var subject: String { TLSCertificate.text(X509_get_subject_name(handle.raw)) }
    public var issuer: String { TLSCertificate.text(X509_get_issuer_name(handle.raw)) }

    /// Seconds since 1970.
    public var notBefore: Int64 { TLSCertificate.seconds(X509_get0_notBefore(handle.raw)) }
    public var notAfter: Int64 { TLSCertificate.seconds(X509_get0_notAfter(handle.raw)) }

    /// The subject alternative names.
    public var names: [TLSName] {
        guard
            let extensionValue = X509_get_ext_d2i(handle.raw, NID_subject_alt_name, nil, nil)
        else { return [] }
        let list = OpaquePointer(extensionValue)
        defer { GENERAL_NAMES_free(list) }
        return (0..<janji_certificate_name_count(list)).compactMap { index in
            janji_certificate_name(list, index).flatMap(TLSName.init)
        }
    }

    /// The certificate itself, DER.
    public var der: [UInt8] {
        let count = i2d_X509(handle.raw, nil)
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            var pointer = buffer.baseAddress
            initialized = Int(max(0, i2d_X509(handle.raw, &pointer)))
        }
    }

    /// Whether a connection to this host may be answered with it (RFC 6125): exactly, or by a
    /// wildcard in the leftmost label.
    func matches(_ host: String, allowingWildcard: Bool) -> Bool {
        let flags =
            allowingWildcard
            ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS : X509_CHECK_FLAG_NO_WILDCARDS
        return X509_check_host(handle.raw, host, 0, UInt32(flags), nil) == 1
    }

    /// For messages: the names it is valid for, or its subject.
    var shownNames: String {
        let names = names.prefix(8).map(\.description)
        return names.isEmpty ? subject : names.joined(separator: ", ")
    }

    private static func text(_ name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        // UTF-8 is left as it is.
        X509_NAME_print_ex(bio, name, 0, janji_name_rfc2253)
        var start: UnsafeMutablePointer<CChar>?
        let count = janji_memory_contents(bio, &start)
        let bytes = UnsafeRawBufferPointer(start: start, count: max(0, count))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }
}
