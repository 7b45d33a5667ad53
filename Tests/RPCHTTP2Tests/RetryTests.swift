import Loop
import RPC
import Synchronization
import TestKit
import Testing

@testable import RPCHTTP2

@Suite("Retries by service config (gRFC A6)", .timeLimit(.minutes(5)))
struct RetryTests {
    static func configuration(
        _ policy: MethodConfig.Repetition, throttling: RetryThrottling? = nil
    ) -> ChannelConfiguration {
        var method = MethodConfig(names: [.init(service: "test.T")])
        method.repetition = policy
        var configuration = ChannelConfiguration()
        configuration.serviceConfig = ServiceConfig()
        configuration.serviceConfig?.methods = [method]
        configuration.serviceConfig?.retryThrottling = throttling
        return configuration
    }

    static func retry(_ attempts: Int) -> MethodConfig.Repetition {
        .retry(
            RetryPolicy(
                maxAttempts: attempts, initialBackoff: .milliseconds(1),
                maxBackoff: .milliseconds(2)))
    }

    private func channel(
        _ server: RawServer, _ configuration: ChannelConfiguration = configuration(retry(4))
    ) throws -> HTTP2Channel {
        try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: configuration)
    }

    @Test("a failure without headers is repeated; server and caller see which attempt it is")
    func repeats() async throws {
        let server = try await RawServer { request in
            if request.number < 2 {
                request.answer(nil, status: 14, fields: [("grpc-message", "busy")])
            } else {
                request.answer(request.message)
            }
        }
        let channel = try channel(server)
        let call = try await channel.start(
            Methods.unary, metadata: Metadata(["x-key": "v"]), options: CallOptions())
        try await call.send([1, 2])
        call.finish()
        #expect(try await call.initialMetadata().first("grpc-previous-rpc-attempts") == "2")
        #expect(try await call.receiveOnly() == [1, 2])
        #expect(await call.attempts == 3)
        let requests = try await server.received
        #expect(requests.map(\.previous) == [nil, "1", "2"])
        #expect(requests.allSatisfy { $0.message == [1, 2] && $0.stream.fields["x-key"] == "v" })
    }

    @Test("at most maxAttempts, and never more than five; the error tells the story")
    func attemptsAreLimited() async throws {
        let server = try await RawServer {
            $0.answer(nil, status: 14, fields: [("grpc-message", "no \($0.number)")])
        }
        for (allowed, sent) in [(2, 2), (9, 5)] {
            let before = try await server.received.count
            let channel = try channel(server, RetryTests.configuration(RetryTests.retry(allowed)))
            let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
            #expect(error?.code == .unavailable)
            #expect(error?.message == "no \(before + sent - 1)")
            #expect(error?.cause?.contains("attempt \(sent)") == true)
            #expect(error?.cause?.contains("no \(before + sent - 2)") == true)
            #expect(try await server.received.count - before == sent)
        }
    }

    @Test("not repeated: another code, and any failure after headers")
    func notRepeated() async throws {
        let server = try await RawServer { request in
            if request.number == 0 { return request.answer(nil, status: 13) }
            request.answer([7], status: 14)
        }
        let channel = try channel(server)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code
                == .internalError)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code == .unavailable)
        #expect(try await server.received.count == 2)
    }

    @Test("only the methods that the config names")
    func otherMethods() async throws {
        let server = try await RawServer { $0.answer(nil, status: 14) }
        let channel = try channel(server)
        let other = MethodDescriptor(service: "test.Other", name: "Unary", kind: .unary)
        #expect(await failure { _ = try await channel.unary(other, [1]) }?.code == .unavailable)
        #expect(try await server.received.count == 1)
    }

    @Test(
        "pushback: the server says when, or that there is no next time",
        arguments: [("0", 2), ("-1", 1), ("later", 1)])
    func pushback(text: String, attempts: Int) async throws {
        let server = try await RawServer { request in
            if request.number == 0 {
                request.answer(nil, status: 14, fields: [("grpc-retry-pushback-ms", text)])
            } else {
                request.answer([1])
            }
        }
        // The back-off alone would outlast the test.
        let slow = RetryPolicy(initialBackoff: .seconds(1000), maxBackoff: .seconds(1000))
        let channel = try channel(server, RetryTests.configuration(.retry(slow)))
        let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect((error == nil) == (attempts == 2))
        #expect(try await server.received.count == attempts)
    }

    @Test("throttle: after failures calls are sent once until enough succeed")
    func throttle() async throws {
        let failing = Mutex(true)
        let server = try await RawServer { request in
            request.answer(
                failing.withLock { $0 } ? nil : [1], status: failing.withLock { $0 } ? 14 : 0)
        }
        let throttling = RetryThrottling(maxTokens: 4, tokenRatio: 1)
        let channel = try channel(
            server, RetryTests.configuration(RetryTests.retry(5), throttling: throttling))
        // 4 tokens: the second failure leaves 2, which is half.
        _ = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(try await server.received.count == 2)
        _ = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(try await server.received.count == 3)
        failing.withLock { $0 = false }
        for _ in 0..<3 { _ = try await channel.unary(Methods.unary, [1]) }
        failing.withLock { $0 = true }
        _ = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(try await server.received.count == 3 + 3 + 2)
    }

    @Test("streamed requests are replayed, those sent in the meantime too")
    func replaysStreams() async throws {
        let server = try await RawServer { request in
            request.answer(request.stream.body)
        }
        let channel = try channel(server)
        let call = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        try await call.send([1])
        try await call.send([2])
        // Refuse the first attempt before its end.
        try await until { try await server.openStreams == 1 }
        try await server.onPeers { peer in
            for stream in peer.openStreams {
                RawServer.Request(peer: peer, stream: stream, number: 0, connection: 0)
                    .answer(nil, status: 14)
            }
        }
        try await until { try await server.openStreams == 1 }
        try await call.send([3])
        call.finish()
        let expected: [UInt8] = [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 3]
        #expect(try await call.receive() == expected)
        #expect(await call.attempts == 2)
    }

    @Test("a request larger than the buffer is sent once, whole")
    func bufferLimit() async throws {
        let server = try await RawServer { request in
            #expect(request.stream.body.count == 3 * 1005)
            request.answer(nil, status: 14)
        }
        var configuration = RetryTests.configuration(RetryTests.retry(4))
        configuration.maxReplayBytesPerCall = 2500
        let channel = try channel(server, configuration)
        for expected in 1...2 {
            let call = try await channel.start(
                Methods.client, metadata: Metadata(), options: CallOptions())
            for _ in 0..<3 { try await call.send([UInt8](repeating: 1, count: 1000)) }
            call.finish()
            #expect(await failure { _ = try await call.receiveOnly() }?.code == .unavailable)
            #expect(try await server.received.count == expected)
        }
        // The channel's share is given back: small calls are still repeated.
        configuration.maxReplayBytes = 1500
        let small = try self.channel(server, configuration)
        for _ in 0..<3 {
            let call = try await small.start(
                Methods.client, metadata: Metadata(), options: CallOptions())
            try await call.send([UInt8](repeating: 1, count: 1000))
            call.cancel()
        }
        #expect(try await small.loop.submit { small.core.replayBytes } == 0)
    }

    @Test("the policy's limits: request and response size, deadline")
    func limits() async throws {
        let server = try await RawServer { request in
            if request.message.count < 3 { request.answer([1, 2, 3, 4, 5, 6]) }
        }
        for repetition in [nil, RetryTests.retry(3)] {
            var method = MethodConfig()
            method.repetition = repetition
            method.maxRequestBytes = 3
            method.maxResponseBytes = 5
            for (size, code, timeout) in [
                (4, RPCError.Code.resourceExhausted, Duration.seconds(60)),
                (2, .resourceExhausted, .seconds(60)), (3, .deadlineExceeded, .milliseconds(50)),
            ] {
                method.timeout = timeout
                var configuration = ChannelConfiguration()
                configuration.serviceConfig = ServiceConfig()
                configuration.serviceConfig?.methods = [method]
                let channel = try channel(server, configuration)
                let error = await failure {
                    _ = try await channel.unary(
                        Methods.unary, [UInt8](repeating: 0, count: size))
                }
                #expect(error?.code == code)
            }
            #expect(try await server.received.last?.stream.fields["grpc-timeout"] != nil)
        }
    }

    @Test("a deadline that passes between attempts names the last failure")
    func deadline() async throws {
        let server = try await RawServer {
            $0.answer(nil, status: 14, fields: [("grpc-message", "busy")])
        }
        let slow = RetryPolicy(initialBackoff: .seconds(1000), maxBackoff: .seconds(1000))
        let channel = try channel(server, RetryTests.configuration(.retry(slow)))
        try await growingDeadline { timeout in
            let error = await failure {
                _ = try await channel.unary(Methods.unary, [1], options: .timeout(timeout))
            }
            #expect(error?.code == .deadlineExceeded)
            guard error?.cause?.contains("waits to be sent again") == true else { return false }
            #expect(error?.cause?.contains("busy") == true)
            return true
        }
    }
}
