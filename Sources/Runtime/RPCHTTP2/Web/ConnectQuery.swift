import Compression
import RPC

/// The query of a Connect GET: `connect=v1&encoding=json&message=…`, perhaps `base64=1` and
/// `compression=gzip`.
struct ConnectQuery {
    private(set) var isJSON = true
    /// Nil when it is unknown.
    private(set) var compression: CompressionAlgorithm? = .identity
    private(set) var message: [UInt8] = []
    /// Why the query is of no use.
    private(set) var problem: String?

    init(_ query: ArraySlice<UInt8>) {
        var items: [String: [UInt8]] = [:]
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = ConnectQuery.unescape(pair[..<equals]),
                let value = ConnectQuery.unescape(pair[equals...].dropFirst())
            else {
                problem = "a percent sign of the query is not followed by two hex digits"
                return
            }
            items[String(decoding: name, as: UTF8.self)] = value
        }
        problem = read(items)
    }

    private mutating func read(_ items: [String: [UInt8]]) -> String? {
        func text(_ name: String) -> String? {
            items[name].map { String(decoding: $0, as: UTF8.self) }
        }
        if let version = text("connect"), version != "v1" { return "connect is not v1" }
        switch text("encoding") {
        case "json": isJSON = true
        case "proto": isJSON = false
        default: return "encoding is neither json nor proto"
        }
        if let name = items["compression"] { compression = CompressionAlgorithm(name: name) }
        guard let raw = items["message"] else { return "no message" }
        switch text("base64") {
        case nil, "0": message = raw
        case "1":
            guard let decoded = ConnectQuery.decode(raw) else { return "message is no base64" }
            message = decoded
        default: return "base64 is neither 0 nor 1"
        }
        return nil
    }

    /// Percent escapes and `+` for a space, as forms have it; any bytes may come out.
    private static func unescape(_ raw: ArraySlice<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var rest = raw
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): out.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(StatusMessage.hex),
                    let low = rest.popFirst().flatMap(StatusMessage.hex)
                else { return nil }
                out.append(high << 4 | low)
            default: out.append(byte)
            }
        }
        return out
    }

    /// Base64 with the alphabet of URLs or the usual one, padded or not (RFC 4648 §5).
    private static func decode(_ text: [UInt8]) -> [UInt8]? {
        if text.contains(UInt8(ascii: " ")) { return nil }
        return MetadataBase64.decode(
            text.map { byte in
                switch byte {
                case UInt8(ascii: "-"): UInt8(ascii: "+")
                case UInt8(ascii: "_"): UInt8(ascii: "/")
                default: byte
                }
            })
    }
}
