import Compression
public import InteropSchema
public import Loop
public import RPC

/// `grpc.testing.TestService` as interop-test-descriptions.md wants it from a server.
public struct InteropService: GrpcTesting.TestService {
    /// The largest payload that a request may ask for.
    private static let maxPayloadBytes: Int32 = 64 << 20

    private let loop: EventLoop

    /// - Parameter loop: waits where a request asks for pauses between responses.
    public init(loop: EventLoop) {
        self.loop = loop
    }

    public func emptyCall(
        _ request: GrpcTesting.Empty, _ context: ServerContext
    ) async throws -> GrpcTesting.Empty {
        echoMetadata(context)
        return GrpcTesting.Empty()
    }

    public func unaryCall(
        _ request: GrpcTesting.SimpleRequest, _ context: ServerContext
    ) async throws -> GrpcTesting.SimpleResponse {
        echoMetadata(context)
        try check(request.expectCompressed, context)
        try echo(request.responseStatus)
        if request.responseCompressed?.value == true { context.responseCompression = .gzip }
        var response = GrpcTesting.SimpleResponse()
        response.payload = try payload(request.responseType, request.responseSize)
        return response
    }

    public func streamingOutputCall(
        _ request: GrpcTesting.StreamingOutputCallRequest, _ context: ServerContext,
        _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>
    ) async throws {
        echoMetadata(context)
        context.responseCompression = .gzip
        try await answer(request, responses)
    }

    public func streamingInputCall(
        _ requests: RequestStream<GrpcTesting.StreamingInputCallRequest>, _ context: ServerContext
    ) async throws -> GrpcTesting.StreamingInputCallResponse {
        echoMetadata(context)
        var response = GrpcTesting.StreamingInputCallResponse()
        for try await request in requests {
            try check(request.expectCompressed, context)
            response.aggregatedPayloadSize &+= Int32(request.payload?.body.count ?? 0)
        }
        return response
    }

    public func fullDuplexCall(
        _ requests: RequestStream<GrpcTesting.StreamingOutputCallRequest>,
        _ context: ServerContext,
        _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>
    ) async throws {
        echoMetadata(context)
        for try await request in requests { try await answer(request, responses) }
    }

    public func halfDuplexCall(
        _ requests: RequestStream<GrpcTesting.StreamingOutputCallRequest>,
        _ context: ServerContext,
        _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>
    ) async throws {
        echoMetadata(context)
        var waiting: [GrpcTesting.StreamingOutputCallRequest] = []
        for try await request in requests { waiting.append(request) }
        for request in waiting { try await answer(request, responses) }
    }

    public func unimplementedCall(
        _ request: GrpcTesting.Empty, _ context: ServerContext
    ) async throws -> GrpcTesting.Empty {
        throw RPCError(.unimplemented, "no server implements UnimplementedCall")
    }

    private func answer(
        _ request: GrpcTesting.StreamingOutputCallRequest,
        _ responses: ResponseWriter<GrpcTesting.StreamingOutputCallResponse>
    ) async throws {
        try echo(request.responseStatus)
        for parameters in request.responseParameters {
            if parameters.intervalUs > 0 {
                try await loop.sleep(for: .microseconds(parameters.intervalUs))
            }
            var response = GrpcTesting.StreamingOutputCallResponse()
            response.payload = try payload(request.responseType, parameters.size)
            try await responses.write(response, compress: parameters.compressed?.value ?? false)
        }
    }

    private func payload(
        _ type: GrpcTesting.PayloadType, _ size: Int32
    ) throws -> GrpcTesting.Payload {
        guard type == .compressable else {
            throw RPCError(.invalidArgument, "no payload type \(type.rawValue)")
        }
        guard size >= 0, size <= InteropService.maxPayloadBytes else {
            throw RPCError(.invalidArgument, "no payload of \(size) bytes")
        }
        return InteropValues.payload(Int(size))
    }

    /// A request says how it must have come.
    private func check(_ expected: GrpcTesting.BoolValue?, _ context: ServerContext) throws {
        guard let expected, expected.value != context.requestIsCompressed else { return }
        throw RPCError(
            .invalidArgument,
            expected.value ? "the request is not compressed" : "the request is compressed")
    }

    private func echo(_ status: GrpcTesting.EchoStatus?) throws {
        guard let status, status.code != 0 else { return }
        throw RPCError(RPCError.Code(rawValue: status.code), status.message)
    }

    private func echoMetadata(_ context: ServerContext) {
        let metadata = context.metadata
        if let value = metadata.first(InteropValues.initialName) {
            context.responseMetadata.add(value, for: InteropValues.initialName)
        }
        if let value = metadata.firstBinary(InteropValues.trailingName) {
            context.trailingMetadata.add(binary: value, for: InteropValues.trailingName)
        }
    }
}
