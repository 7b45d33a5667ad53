import Protobuf

/// `google.rpc.Status` in `grpc-status-details-bin`: code = 1, message = 2, details = 3 (Any:
/// type_url = 1, value = 2). Three fields are written and read here by hand, so that a broken
/// detail of a peer can only lose details and never the status.
package enum StatusDetails {
    package static func encode(_ error: RPCError) -> [UInt8] {
        var writer = WireWriter()
        writer.field(1, varint: UInt64(UInt32(bitPattern: error.code.rawValue)))
        writer.field(2, string: error.message)
        for detail in error.details {
            writer.field(
                3,
                message: { any in
                    any.field(1, string: detail.typeURL)
                    if !detail.value.isEmpty { any.field(2, bytes: detail.value) }
                })
        }
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) -> [RPCError.Detail] {
        var details: [RPCError.Detail] = []
        var reader = WireReader(bytes)
        do {
            while let (number, type) = try reader.tag() {
                if number == 3, type == .bytes {
                    details.append(try detail(reader.lengthDelimited()))
                } else {
                    try reader.skip(number, type)
                }
            }
        } catch {
            return details
        }
        return details
    }

    private static func detail(_ bytes: [UInt8]) throws(ProtobufError) -> RPCError.Detail {
        var detail = RPCError.Detail(typeURL: "", value: [])
        var reader = WireReader(bytes)
        while let (number, type) = try reader.tag() {
            switch (number, type) {
            case (1, .bytes): detail.typeURL = try reader.string()
            case (2, .bytes): detail.value = try reader.lengthDelimited()
            default: try reader.skip(number, type)
            }
        }
        return detail
    }
}
