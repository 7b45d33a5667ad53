import RPC

/// Response header fields in order.
struct WebFields {
    private(set) var list: [(name: String, value: String)] = []

    init(contentType: String) {
        add("content-type", contentType)
    }

    init() {}

    mutating func add(_ name: String, _ value: String) {
        list.append((name, value))
    }

    /// Custom metadata; reserved names are left out.
    /// - Parameter prefix: `trailer-` where Connect puts trailers into the header.
    mutating func add(_ metadata: Metadata, prefix: String = "") {
        for field in metadata where !WebFields.isReserved(field.name) {
            add(prefix + field.name, field.value.printed)
        }
    }

    /// Names that a protocol or HTTP itself gives a meaning.
    static func isReserved(_ name: String) -> Bool {
        name.hasPrefix("grpc-") || name.hasPrefix("connect-") || name.hasPrefix("trailer-")
            || name.hasPrefix("content-") || name == "connection" || name == "transfer-encoding"
    }
}

extension Metadata.Value {
    /// As a header field carries it: bytes in base64 without padding.
    var printed: String {
        switch self {
        case .text(let text): text
        case .binary(let bytes): String(decoding: MetadataBase64.encode(bytes), as: UTF8.self)
        }
    }
}
