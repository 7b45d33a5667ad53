import Compression
import InteropSchema
import Protobuf
import RPC

/// Which messages come compressed: interop-test-descriptions.md, the four compression cases.
extension InteropClient {
    private var compressing: CallOptions {
        var options = options
        options.compression = .gzip
        return options
    }

    func clientCompressedUnary() async throws {
        var request = InteropValues.largeRequest()
        request.expectCompressed = InteropValues.bool(true)
        try await expect(.invalidArgument, "the probe") {
            _ = try await client.unaryCall(request, options: options)
        }
        let compressed = try await client.unaryCall(request, options: compressing)
        try expect(compressed.payload, count: InteropValues.largeResponse)
        request.expectCompressed = InteropValues.bool(false)
        let plain = try await client.unaryCall(request, options: options)
        try expect(plain.payload, count: InteropValues.largeResponse)
    }

    func clientCompressedStreaming() async throws {
        var request = GrpcTesting.StreamingInputCallRequest()
        request.expectCompressed = InteropValues.bool(true)
        request.payload = InteropValues.payload(27_182)
        try await expect(.invalidArgument, "the probe") {
            let call = try await client.streamingInputCall(options: options)
            try await call.send(request)
            _ = try await call.finish()
        }
        let call = try await client.streamingInputCall(options: compressing)
        try await call.send(request, compress: true)
        request.expectCompressed = InteropValues.bool(false)
        request.payload = InteropValues.payload(45_904)
        try await call.send(request, compress: false)
        let sum = try await call.finish().aggregatedPayloadSize
        try expect(sum == 73_086, "an aggregated size of \(sum) instead of 73086")
    }

    func serverCompressedUnary() async throws {
        for compressed in [true, false] {
            var request = InteropValues.largeRequest()
            request.responseCompressed = InteropValues.bool(compressed)
            let call = try await channel.start(
                GrpcTesting.TestMethods.unaryCall, metadata: Metadata(), options: options)
            try await call.send(request.encoded())
            call.finish()
            let response = try GrpcTesting.SimpleResponse(decoding: await call.receiveOnly())
            try await expect(call, compressed)
            try expect(response.payload, count: InteropValues.largeResponse)
        }
    }

    func serverCompressedStreaming() async throws {
        var request = GrpcTesting.StreamingOutputCallRequest()
        request.responseParameters = [31_415, 92_653].map(InteropValues.parameters)
        request.responseParameters[0].compressed = InteropValues.bool(true)
        request.responseParameters[1].compressed = InteropValues.bool(false)
        let stream = try await client.streamingOutputCall(request, options: options)
        var responses = stream.makeAsyncIterator()
        for (size, compressed) in [(31_415, true), (92_653, false)] as [(Int32, Bool)] {
            guard let response = try await responses.next() else {
                throw InteropFailure("the response of \(size) bytes is missing")
            }
            try await expect(stream.call, compressed)
            try expect(response.payload, count: size)
        }
        try expect(try await responses.next() == nil, "a third response")
    }

    private func expect(_ call: ClientCall, _ compressed: Bool) async throws {
        let isCompressed = await call.responseIsCompressed
        try expect(
            isCompressed == compressed,
            "\(call.method.name): a response that is\(isCompressed ? "" : " not") compressed")
    }
}
