import Compression
import HTTP2
import RPC

/// What a response header block, or the trailers, say. Most say the same as the one before, and are
/// not read again.
final class ResponseHead {
    private(set) var httpStatus = 0
    private(set) var isGRPC = false
    private(set) var contentType = ""
    private(set) var code: RPCError.Code?
    private(set) var message = ""
    private(set) var details: [RPCError.Detail] = []
    /// `grpc-encoding`; nil when nobody here knows it.
    private(set) var encoding: CompressionAlgorithm? = .identity
    private var flat = FlatMetadata()

    /// The custom fields.
    var metadata: Metadata { flat.isEmpty ? Metadata() : Metadata(flat) }

    static func read(_ block: HeaderBlock) -> ResponseHead {
        if let known = block.memo as? ResponseHead { return known }
        let head = ResponseHead(block)
        block.memo = head
        return head
    }

    private init(_ block: HeaderBlock) {
        for index in 0..<block.count {
            let name = block.name(index)
            let value = block.value(index)
            if name.isEqual(to: ":status") {
                httpStatus = ResponseHead.number(value) ?? 0
            } else if name.isEqual(to: "content-type") {
                isGRPC = RequestHead.isGRPC(value)
                if !isGRPC { contentType = String(decoding: value, as: UTF8.self) }
            } else if name.starts(with: "grpc-") {
                readReserved(name, value)
            } else {
                flat.append(name: name, value: value)
            }
        }
    }

    private func readReserved(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) {
        if name.isEqual(to: "grpc-status") {
            code = ResponseHead.number(value).map { RPCError.Code(rawValue: Int32($0)) } ?? .unknown
        } else if name.isEqual(to: "grpc-message") {
            message = StatusMessage.decode(value)
        } else if name.isEqual(to: "grpc-status-details-bin") {
            details = MetadataBase64.decode(value).map { StatusDetails.decode($0) } ?? []
        } else if name.isEqual(to: "grpc-encoding") {
            encoding = CompressionAlgorithm(name: value)
        } else if name.isEqual(to: "grpc-retry-pushback-ms") {
            flat.append(name: name, value: value)
        }
    }

    private static func number(_ text: UnsafeRawBufferPointer) -> Int? {
        guard !text.isEmpty, text.count <= 6 else { return nil }
        var value = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// The call's outcome by these trailers: nil is OK.
    func status() -> RPCError? {
        guard let code else {
            if httpStatus != 0, httpStatus != 200 {
                return RPCError(
                    StatusMapping.code(ofHTTP: httpStatus),
                    "the server answered with HTTP status \(httpStatus)", metadata: metadata,
                    blame: .peer)
            }
            return RPCError(.unknown, "the server sent no grpc-status", blame: .peer)
        }
        if code == .ok { return nil }
        return RPCError(code, message, details: details, metadata: metadata)
    }
}
