import InteropSchema
import Protobuf
import RPC

extension InteropClient {
    func emptyUnary() async throws {
        let response = try await client.emptyCall(GrpcTesting.Empty(), options: options)
        try expect(response.encoded().isEmpty, "the empty response has bytes")
    }

    func largeUnary() async throws {
        let response = try await client.unaryCall(InteropValues.largeRequest(), options: options)
        try expect(response.payload, count: InteropValues.largeResponse)
    }

    func unimplementedMethod() async throws {
        try await expect(.unimplemented, "UnimplementedCall") {
            _ = try await client.unimplementedCall(GrpcTesting.Empty(), options: options)
        }
    }

    func unimplementedService() async throws {
        try await expect(.unimplemented, "UnimplementedService") {
            _ = try await GrpcTesting.UnimplementedClient(channel)
                .unimplementedCall(GrpcTesting.Empty(), options: options)
        }
    }

    func status(_ message: String, duplex: Bool) async throws {
        var request = GrpcTesting.SimpleRequest()
        request.responseStatus = InteropValues.status(message)
        let unary = try await expect(.unknown, "UnaryCall") {
            _ = try await client.unaryCall(request, options: options)
        }
        try expect(unary.message == message, "UnaryCall: \(unary.message.debugDescription)")
        guard duplex else { return }
        var streamed = GrpcTesting.StreamingOutputCallRequest()
        streamed.responseStatus = InteropValues.status(message)
        let error = try await expect(.unknown, "FullDuplexCall") {
            let call = try await client.fullDuplexCall(options: options)
            try await call.send(streamed)
            call.finish()
            for try await _ in call.responses {
                throw InteropFailure("a response instead of a status")
            }
        }
        try expect(error.message == message, "FullDuplexCall: \(error.message.debugDescription)")
    }

    func customMetadata() async throws {
        var metadata = Metadata()
        metadata.add(InteropValues.initialValue, for: InteropValues.initialName)
        metadata.add(binary: InteropValues.trailingValue, for: InteropValues.trailingName)

        let unary = try await channel.start(
            GrpcTesting.TestMethods.unaryCall, metadata: metadata, options: options)
        try await unary.send(InteropValues.largeRequest().encoded())
        unary.finish()
        let response = try GrpcTesting.SimpleResponse(decoding: await unary.receiveOnly())
        try expect(response.payload, count: InteropValues.largeResponse)
        try await expectMetadata(of: unary)

        let duplex = try await client.fullDuplexCall(metadata: metadata, options: options)
        var request = GrpcTesting.StreamingOutputCallRequest()
        request.responseParameters = [InteropValues.parameters(InteropValues.largeResponse)]
        request.payload = InteropValues.payload(InteropValues.largePayload)
        try await duplex.send(request)
        duplex.finish()
        var count = 0
        for try await response in duplex.responses {
            count += 1
            try expect(response.payload, count: InteropValues.largeResponse)
        }
        try expect(count == 1, "\(count) responses instead of 1")
        try await expectMetadata(of: duplex.call)
    }

    private func expectMetadata(of call: ClientCall) async throws {
        let initial = try await call.initialMetadata().first(InteropValues.initialName)
        try expect(
            initial == InteropValues.initialValue,
            "\(call.method.name): initial metadata \(initial ?? "missing")")
        let trailing = await call.trailers.firstBinary(InteropValues.trailingName)
        try expect(
            trailing == InteropValues.trailingValue,
            "\(call.method.name): trailing metadata \(trailing.map { "\($0)" } ?? "missing")")
    }
}
