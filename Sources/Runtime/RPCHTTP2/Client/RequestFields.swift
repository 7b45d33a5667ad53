import Compression
import Environment
import HTTP2
import RPC

/// Request headers. What is the same for every call of a method is built once per channel.
struct RequestFields {
    private let authority: String
    private let userAgent: String
    private let scheme: String
    private let compression: CompressionPolicy
    private var cache: [String: HTTP2Fields] = [:]

    init(authority: String, userAgent: String, scheme: String, compression: CompressionPolicy) {
        self.authority = authority
        self.userAgent = userAgent
        self.scheme = scheme
        self.compression = compression
    }

    mutating func make(_ stream: ClientStream) -> HTTP2Fields {
        let (call, metadata, algorithm) = (stream.call, stream.metadata, stream.compression)
        let base = base(call.method)
        if metadata.isEmpty, call.enforcedDeadline == nil, algorithm == .identity,
            stream.previousAttempts == 0
        {
            return base
        }
        let fields = HTTP2Fields(copying: base)
        if let deadline = call.enforcedDeadline {
            let text = GRPCTimeout.print(nanoseconds: deadline.remaining.nanoseconds)
            fields.append("grpc-timeout", text, indexed: false)
        }
        if algorithm != .identity {
            fields.append("grpc-encoding", algorithm.name)
            if compression.accepted.isEmpty {
                let all = CompressionPolicy(accepted: .all)
                fields.append("grpc-accept-encoding", all.acceptedList)
            }
        }
        if stream.previousAttempts > 0 {
            fields.append("grpc-previous-rpc-attempts", "\(stream.previousAttempts)")
        }
        fields.append(metadata)
        return fields
    }

    private mutating func base(_ method: MethodDescriptor) -> HTTP2Fields {
        if let fields = cache[method.path] { return fields }
        let fields = HTTP2Fields()
        fields.append(":method", "POST")
        fields.append(":scheme", scheme)
        fields.append(":path", method.path)
        fields.append(":authority", authority)
        fields.append("te", "trailers")
        fields.append("content-type", "application/grpc")
        fields.append("user-agent", userAgent)
        if !compression.accepted.isEmpty {
            fields.append("grpc-accept-encoding", compression.acceptedList)
        }
        cache[method.path] = fields
        return fields
    }
}
