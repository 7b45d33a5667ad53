import COpenSSL

/// The versions that HTTP/2 may use (RFC 9113 §9.2).
public enum TLSVersion: Sendable, Hashable, Comparable {
    case tls12, tls13

    var raw: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}
