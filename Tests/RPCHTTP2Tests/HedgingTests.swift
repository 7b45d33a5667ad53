import HTTP2
import Loop
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

@Suite("Hedging by service config (gRFC A6)", .timeLimit(.minutes(5)))
struct HedgingTests {
    private func channel(
        _ server: RawServer, _ policy: HedgingPolicy, throttling: RetryThrottling? = nil
    ) throws -> HTTP2Channel {
        try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: RetryTests.configuration(.hedging(policy), throttling: throttling))
    }

    @Test("the first answer wins, the others are reset")
    func firstWins() async throws {
        let cancelled = Mutex(0)
        let server = try await RawServer { request in
            request.stream.onClose = { answer in
                if answer.code == .cancel { cancelled.withLock { $0 += 1 } }
            }
            if request.number == 2 { request.answer([UInt8(request.number)]) }
        }
        let channel = try channel(
            server, HedgingPolicy(maxAttempts: 3, delay: .milliseconds(20)))
        let call = try await channel.start(
            Methods.unary, metadata: Metadata(), options: CallOptions())
        try await call.send([9])
        call.finish()
        #expect(try await call.receiveOnly() == [2])
        #expect(await call.attempts == 3)
        try await until { cancelled.withLock { $0 } == 2 }
        let requests = try await server.received
        #expect(requests.map(\.previous) == [nil, "1", "2"])
        #expect(requests.allSatisfy { $0.message == [9] })
    }

    @Test("no delay: all at once; only non-fatal failures: the last one is the call's")
    func allFail() async throws {
        let server = try await RawServer { $0.answer(nil, status: 14) }
        let channel = try channel(server, HedgingPolicy(maxAttempts: 3))
        let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(error?.code == .unavailable)
        #expect(error?.cause?.contains("attempt 3") == true)
        #expect(try await server.received.count == 3)
    }

    @Test("a non-fatal failure brings the next attempt forward")
    func forward() async throws {
        let server = try await RawServer { request in
            request.answer(request.number == 0 ? nil : [5], status: request.number == 0 ? 14 : 0)
        }
        let channel = try channel(server, HedgingPolicy(maxAttempts: 3, delay: .seconds(1000)))
        #expect(try await channel.unary(Methods.unary, [1]) == [5])
        #expect(try await server.received.count == 2)
    }

    @Test("a fatal failure ends the call and the other attempts")
    func fatal() async throws {
        let cancelled = Signal<Bool>()
        let server = try await RawServer { request in
            if request.number == 0 {
                request.stream.onClose = { answer in
                    Task { await cancelled.set(answer.code == .cancel) }
                }
            } else {
                request.answer(nil, status: 5)
            }
        }
        let channel = try channel(server, HedgingPolicy(maxAttempts: 2))
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code == .notFound)
        #expect(try await cancelled.wait())
    }

    @Test("pushback: negative stops the hedges, a number says when the next one goes")
    func pushback() async throws {
        for (text, attempts) in [("-1", 1), ("1", 2)] {
            let server = try await RawServer { request in
                if request.number > 0 { return request.answer([1]) }
                request.answer(nil, status: 14, fields: [("grpc-retry-pushback-ms", text)])
            }
            let channel = try channel(server, HedgingPolicy(maxAttempts: 5, delay: .seconds(1000)))
            let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
            #expect((error == nil) == (attempts == 2))
            #expect(try await server.received.count == attempts)
        }
    }

    @Test("throttled: the first attempt goes, hedges do not")
    func throttled() async throws {
        let server = try await RawServer { $0.answer(nil, status: 14) }
        let channel = try channel(
            server, HedgingPolicy(maxAttempts: 5, delay: .seconds(1000)),
            throttling: RetryThrottling(maxTokens: 2, tokenRatio: 0.1))
        for expected in [1, 2] {
            _ = await failure { _ = try await channel.unary(Methods.unary, [1]) }
            #expect(try await server.received.count == expected)
        }
    }

    @Test("a streamed request goes to every attempt")
    func streams() async throws {
        let server = try await RawServer { request in
            if request.number == 1 { request.answer(request.stream.body) }
        }
        let channel = try channel(server, HedgingPolicy(maxAttempts: 2))
        let call = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        for value in UInt8(1)...3 { try await call.send([value]) }
        call.finish()
        #expect(
            try await call.receive()
                == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 3])
        #expect(try await call.receive() == nil)
    }
}
