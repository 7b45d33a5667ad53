import Compression
import HTTP1
import HTTP2
import RPC

/// The head of a request that is not gRPC, whichever HTTP version carried it.
struct WebRequest {
    /// `POST`, `GET`, `OPTIONS`, …
    let method: String
    let path: String
    /// Behind the `?`, undecoded.
    let query: ArraySlice<UInt8>
    /// Every header field, names in lower case.
    private let fields: [(name: String, value: String)]

    /// - Parameter target: the path and, perhaps, a query.
    init(method: String, target: String, fields: [(name: String, value: String)]) {
        self.method = method
        let bytes = Array(target.utf8)
        let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        path = String(decoding: bytes[..<mark], as: UTF8.self)
        query = bytes[mark...].dropFirst()
        self.fields = fields
    }

    init(_ block: HeaderBlock) {
        var fields: [(name: String, value: String)] = []
        for index in 0..<block.count {
            let name = block.name(index)
            if name.first == UInt8(ascii: ":") { continue }
            fields.append(
                (
                    String(decoding: name, as: UTF8.self),
                    String(decoding: block.value(index), as: UTF8.self)
                ))
        }
        self.init(
            method: block.first(":method") ?? "", target: block.first(":path") ?? "/",
            fields: fields)
    }

    init(_ head: HTTPRequestHead) {
        let fields = (0..<head.headers.count).map { index in
            let field = head.headers.field(at: index)
            return (name: field.name.lowercased(), value: field.value)
        }
        var target = String(decoding: head.path, as: UTF8.self)
        if let query = head.query { target += "?" + String(decoding: query, as: UTF8.self) }
        self.init(method: head.method.rawValue, target: target, fields: fields)
    }

    func first(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// The media type without parameters, in lower case; empty when there is none.
    var mediaType: String {
        guard let text = first("content-type") else { return "" }
        let essence = text.prefix { $0 != ";" }
        return essence.filter { $0 != " " && $0 != "\t" }.lowercased()
    }

    /// The algorithm that a field names: identity without the field, nil for an unknown one.
    func encoding(_ name: String) -> CompressionAlgorithm? {
        guard let value = first(name), !value.isEmpty else { return .identity }
        return CompressionAlgorithm(name: value.utf8)
    }

    func accepted(_ name: String) -> CompressionAlgorithms {
        guard var value = first(name) else { return [] }
        return value.withUTF8 { CompressionAlgorithms(list: UnsafeRawBufferPointer($0)) }
    }

    /// The fields that are the caller's own.
    var metadata: FlatMetadata {
        var metadata = FlatMetadata()
        for (name, value) in fields where !WebRequest.isReserved(name) {
            var (name, value) = (name, value)
            name.withUTF8 { name in
                value.withUTF8 { value in
                    metadata.append(
                        name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value))
                }
            }
        }
        return metadata
    }

    private static let reserved: Set<String> = [
        "host", "te", "connection", "keep-alive", "transfer-encoding", "upgrade", "expect",
        "content-type", "content-length", "content-encoding", "accept-encoding", "accept",
    ]

    private static func isReserved(_ name: String) -> Bool {
        reserved.contains(name) || name.hasPrefix("grpc-") || name.hasPrefix("connect-")
            || name.hasPrefix("access-control-")
    }
}
