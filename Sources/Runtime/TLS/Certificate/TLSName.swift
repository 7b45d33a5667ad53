import COpenSSL
import Glibc

/// A subject alternative name (RFC 5280 §4.2.1.6) of the kinds that name peers.
public enum TLSName: Sendable, Hashable, CustomStringConvertible {
    case dns(String)
    case ip(String)
    /// Also the name of a SPIFFE workload.
    case uri(String)
    case email(String)

    public var description: String {
        switch self {
        case .dns(let text), .ip(let text), .uri(let text), .email(let text): text
        }
    }

    /// Nil for the other kinds.
    init?(_ name: UnsafePointer<GENERAL_NAME>) {
        switch name.pointee.type {
        case GEN_DNS: self = .dns(TLSName.text(name.pointee.d.dNSName))
        case GEN_URI: self = .uri(TLSName.text(name.pointee.d.uniformResourceIdentifier))
        case GEN_EMAIL: self = .email(TLSName.text(name.pointee.d.rfc822Name))
        case GEN_IPADD:
            guard let text = TLSName.address(name.pointee.d.iPAddress) else { return nil }
            self = .ip(text)
        default: return nil
        }
    }

    private static func bytes(_ string: UnsafePointer<ASN1_STRING>?) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: ASN1_STRING_get0_data(string), count: Int(max(0, ASN1_STRING_length(string))))
    }

    private static func text(_ string: UnsafePointer<ASN1_STRING>?) -> String {
        String(decoding: bytes(string), as: UTF8.self)
    }

    private static func address(_ string: UnsafePointer<ASN1_STRING>?) -> String? {
        let bytes = bytes(string)
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
