import Compression
import HTTP2
import RPC

/// Response headers and trailers; the usual ones are built once for the whole process.
enum ResponseFields {
    static let headers: HTTP2Fields = {
        let fields = HTTP2Fields(immortal: true)
        fields.append(":status", "200")
        fields.append("content-type", "application/grpc")
        return fields
    }()

    static let okTrailers: HTTP2Fields = {
        let fields = HTTP2Fields(immortal: true)
        fields.append("grpc-status", "0")
        return fields
    }()

    static let methodNotAllowed = httpError("405")

    private static func httpError(_ status: StaticString) -> HTTP2Fields {
        let fields = HTTP2Fields(immortal: true)
        fields.append(":status", status)
        return fields
    }

    static func headers(
        _ context: ServerContext, _ compression: CompressionAlgorithm, _ policy: CompressionPolicy
    ) -> HTTP2Fields {
        let isCompressed = compression != .identity
        guard context.hasResponseMetadata || isCompressed else { return headers }
        let fields = HTTP2Fields(copying: headers)
        if isCompressed {
            fields.append("grpc-encoding", compression.name)
            fields.append("grpc-accept-encoding", policy.acceptedList)
        }
        if context.hasResponseMetadata { fields.append(context.responseMetadata) }
        return fields
    }

    static func trailers(_ context: ServerContext) -> HTTP2Fields {
        guard context.hasResponseMetadata else { return okTrailers }
        let fields = HTTP2Fields(copying: okTrailers)
        fields.append(context.trailingMetadata)
        return fields
    }

    /// The trailers of a failed call; with `only` they are the whole response.
    static func status(_ error: RPCError, _ context: ServerContext?, only: Bool) -> HTTP2Fields {
        let fields = only ? HTTP2Fields(copying: headers) : HTTP2Fields()
        if only, let context, context.hasResponseMetadata {
            fields.append(context.responseMetadata)
        }
        fields.append("grpc-status", "\(error.code.rawValue)")
        if !error.message.isEmpty {
            // Longer text would exceed what peers accept as a header list.
            fields.append(
                "grpc-message", StatusMessage.encode(error.message).prefix(4096), indexed: false)
        }
        if !error.details.isEmpty {
            fields.append(
                "grpc-status-details-bin", MetadataBase64.encode(StatusDetails.encode(error)),
                indexed: false)
        }
        if let context, context.hasResponseMetadata { fields.append(context.trailingMetadata) }
        fields.append(error.metadata)
        return fields
    }
}

extension HTTP2Fields {
    /// Custom metadata; reserved names are left out.
    func append(_ metadata: Metadata) {
        for field in metadata where !ReservedNames.contains(field.name) {
            switch field.value {
            case .text(let text): append(field.name, text)
            case .binary(let bytes): append(field.name, MetadataBase64.encode(bytes))
            }
        }
    }
}
