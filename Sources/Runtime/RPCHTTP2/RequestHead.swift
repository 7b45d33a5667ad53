import Compression
import HTTP2
import RPC

/// What the request headers of a call say; the values that are not custom, as bytes or numbers.
/// Most requests of a connection say the same: the object stays with the header block, and is read
/// again only when that differs from the one before.
final class RequestHead {
    private let table: MethodTable
    private(set) var method: RegisteredMethod?
    private(set) var isPOST = false
    private(set) var hasGRPCContentType = false
    /// `grpc-encoding`.
    private(set) var encoding = CompressionAlgorithm.identity
    /// The same when nobody here knows it.
    private(set) var unknownEncoding: String?
    /// `grpc-accept-encoding`.
    private(set) var accepted: CompressionAlgorithms = []
    private(set) var timeout: Duration?
    private(set) var hasBadTimeout = false
    @exclusivity(unchecked) private(set) var metadata = FlatMetadata()

    static func read(_ block: HeaderBlock, _ table: MethodTable) -> RequestHead {
        if let known = block.memo as? RequestHead, known.table === table { return known }
        let head = RequestHead(block, table)
        block.memo = head
        return head
    }

    /// One pass; only custom fields are copied.
    private init(_ block: HeaderBlock, _ table: MethodTable) {
        self.table = table
        for index in 0..<block.count {
            let name = block.name(index)
            switch name.count {
            case 2 where name.isEqual(to: "te"):
                break
            case 5 where name.isEqual(to: ":path"):
                method = table.find(block.value(index))
            case 7 where name.isEqual(to: ":method"):
                isPOST = block.value(index).isEqual(to: "POST")
            case 7 where name.isEqual(to: ":scheme"):
                break
            case 10 where name.isEqual(to: ":authority"):
                break
            case 12 where name.isEqual(to: "content-type"):
                hasGRPCContentType = RequestHead.isGRPC(block.value(index))
            case 14 where name.isEqual(to: "content-length"):
                break
            default:
                if name.starts(with: "grpc-") {
                    readReserved(name, block.value(index))
                } else {
                    metadata.append(name: name, value: block.value(index))
                }
            }
        }
    }

    private func readReserved(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) {
        if name.isEqual(to: "grpc-timeout") {
            timeout = GRPCTimeout.parse(value)
            hasBadTimeout = timeout == nil
        } else if name.isEqual(to: "grpc-encoding") {
            if value.isEqual(to: "identity") { return }
            if let known = CompressionAlgorithm(name: value) {
                encoding = known
            } else {
                unknownEncoding = String(decoding: value, as: UTF8.self)
            }
        } else if name.isEqual(to: "grpc-accept-encoding") {
            // What C-core sends with every call.
            accepted =
                value.isEqual(to: "identity, deflate, gzip")
                ? .all : CompressionAlgorithms(list: value)
        } else if name.isEqual(to: "grpc-trace-bin") || name.isEqual(to: "grpc-tags-bin") {
            metadata.append(name: name, value: value)
        }
    }

    /// `application/grpc`, `application/grpc+proto`, `application/grpc;…`; not grpc-web.
    static func isGRPC(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.starts(with: "application/grpc") else { return false }
        guard value.count > 16 else { return true }
        return value[16] == UInt8(ascii: "+") || value[16] == UInt8(ascii: ";")
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount])
            .isEqual(to: text)
    }
}
