import InteropSchema
import RPC

extension InteropClient {
    func clientStreaming() async throws {
        let call = try await client.streamingInputCall(options: options)
        for size in InteropValues.requestSizes {
            var request = GrpcTesting.StreamingInputCallRequest()
            request.payload = InteropValues.payload(size)
            try await call.send(request)
        }
        let sum = try await call.finish().aggregatedPayloadSize
        try expect(sum == 74_922, "an aggregated size of \(sum) instead of 74922")
    }

    func serverStreaming() async throws {
        var request = GrpcTesting.StreamingOutputCallRequest()
        request.responseParameters = InteropValues.responseSizes.map(InteropValues.parameters)
        var waiting = InteropValues.responseSizes[...]
        for try await response in try await client.streamingOutputCall(request, options: options) {
            guard let size = waiting.popFirst() else { throw InteropFailure("a fifth response") }
            try expect(response.payload, count: size)
        }
        try expect(waiting.isEmpty, "\(waiting.count) responses are missing")
    }

    func pingPong() async throws {
        let call = try await client.fullDuplexCall(options: options)
        var responses = call.responses.makeAsyncIterator()
        for (sent, expected) in zip(InteropValues.requestSizes, InteropValues.responseSizes) {
            try await call.send(request(expected, payload: sent))
            guard let response = try await responses.next() else {
                throw InteropFailure("the stream ended before the response of \(expected) bytes")
            }
            try expect(response.payload, count: expected)
        }
        call.finish()
        try expect(try await responses.next() == nil, "a fifth response")
    }

    func emptyStream() async throws {
        let call = try await client.fullDuplexCall(options: options)
        call.finish()
        for try await _ in call.responses { throw InteropFailure("a response to nothing") }
    }

    func cancelAfterBegin() async throws {
        try await expect(.cancelled, "StreamingInputCall") {
            let call = try await client.streamingInputCall(options: options)
            call.cancel()
            _ = try await call.finish()
        }
    }

    func cancelAfterFirstResponse() async throws {
        let call = try await client.fullDuplexCall(options: options)
        var responses = call.responses.makeAsyncIterator()
        try await call.send(
            request(InteropValues.responseSizes[0], payload: InteropValues.requestSizes[0]))
        guard let response = try await responses.next() else {
            throw InteropFailure("the stream ended before the first response")
        }
        try expect(response.payload, count: InteropValues.responseSizes[0])
        call.cancel()
        try await expect(.cancelled, "FullDuplexCall") { _ = try await responses.next() }
    }

    func timeoutOnSleepingServer() async throws {
        try await expect(.deadlineExceeded, "FullDuplexCall") {
            let call = try await client.fullDuplexCall(options: .timeout(.milliseconds(1)))
            try await call.send(request(nil, payload: InteropValues.requestSizes[0]))
            for try await _ in call.responses {
                throw InteropFailure("a response though none was asked for")
            }
        }
    }

    private func request(
        _ size: Int32?, payload: Int
    ) -> GrpcTesting.StreamingOutputCallRequest {
        var request = GrpcTesting.StreamingOutputCallRequest()
        request.responseParameters = size.map { [InteropValues.parameters($0)] } ?? []
        request.payload = InteropValues.payload(payload)
        return request
    }
}
