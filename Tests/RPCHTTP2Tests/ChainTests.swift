import BenchSchema
import Loop
import RPC
import RPCHTTP2
import Synchronization
import TestKit
import Testing

/// A client, a service, and the service behind it: two connections, three loops.
@Suite("gRPC over HTTP/2: deadlines and cancellation through a chain", .timeLimit(.minutes(5)))
struct ChainTests {
    /// A server whose `test.T/Unary` calls the same method of `below`.
    private func relay(
        to below: TestServer, options: CallOptions = CallOptions(),
        ended: @escaping @Sendable (ServerContext) -> Void = { _ in }
    ) async throws -> TestServer {
        let channel = try below.channel()
        return try await TestServer { router in
            router.handle(Methods.unary) { call in
                defer { ended(call.context) }
                let message = try await call.receiveOnly()
                try call.sendOnly(
                    try await channel.unary(Methods.unary, message, options: options))
            }
        }
    }

    @Test("the deadline reaches the second service, shorter by what has passed; opting out works")
    func deadline() async throws {
        let below = try await TestServer { router in
            router.handle(Methods.unary) { call in
                let left = call.context.remaining.map { "\($0.components.seconds)" }
                try call.sendOnly(Array((left ?? "none").utf8))
            }
        }
        let relayed = try await relay(to: below)
        func seconds(_ answer: [UInt8]) -> Int {
            Int(String(decoding: answer, as: UTF8.self)) ?? -1
        }
        let options = CallOptions.timeout(.seconds(200))
        let answer = try await relayed.channel().unary(Methods.unary, [1], options: options)
        #expect((101..<200).contains(seconds(answer)))
        let free = try await relay(to: below, options: CallOptions(inheritsDeadline: false))
        let other = try await free.channel().unary(Methods.unary, [1], options: options)
        #expect(other == Array("none".utf8))
        let shorter = try await relay(to: below, options: .timeout(.seconds(100)))
        let third = try await shorter.channel().unary(Methods.unary, [1], options: options)
        #expect((0..<100).contains(seconds(third)))
    }

    @Test("a client's cancelled task, and a deadline, end both handlers; both connections live on")
    func cancel() async throws {
        #expect(try await cancelsBothHandlers(timeout: nil))
        try await growingDeadline { try await cancelsBothHandlers(timeout: $0) }
    }

    /// False when the time was over before the last handler had begun.
    private func cancelsBothHandlers(timeout: Duration?) async throws -> Bool {
        let started = Signal<Bool>()
        let first = Signal<Bool>()
        let second = Signal<Bool>()
        let below = try await TestServer { router in
            router.handle(Methods.unary) { call in
                guard try await call.receiveOnly() == [0] else { return try call.sendOnly([7]) }
                call.context.onCancel { Task { await second.set(true) } }
                await started.set(true)
                try await call.loop.sleep(for: .seconds(60))
            }
        }
        let relayed = try await relay(
            to: below,
            ended: { context in
                // At a deadline the child call may end the handler before the server cancels it.
                let isCancelled = context.isCancelled
                Task { await first.set(timeout != nil || isCancelled) }
            })
        let channel = try relayed.channel()
        let task = Task {
            let error = await failure {
                _ = try await channel.unary(
                    Methods.unary, [0],
                    options: timeout.map { .timeout($0) } ?? CallOptions())
            }
            await started.set(false)
            return error
        }
        guard try await started.wait() else { return false }
        if timeout == nil { task.cancel() }
        #expect(await task.value?.code == (timeout == nil ? .cancelled : .deadlineExceeded))
        #expect(try await first.wait())
        #expect(try await second.wait())
        #expect(try await channel.unary(Methods.unary, [1]) == [7])
        return true
    }

    @Test("a handler that ends early takes its open child call with it")
    func dropped() async throws {
        let ended = Signal<Bool>()
        let below = try await TestServer { router in
            router.handle(Methods.bidi) { call in
                call.context.onCancel { Task { await ended.set(true) } }
                try await call.send([1])
                _ = try await call.receive()
            }
        }
        let channel = try below.channel()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                let child = BidirectionalCall<Bench.Msg, Bench.Msg>(
                    try await channel.start(
                        Methods.bidi, metadata: Metadata(), options: CallOptions()))
                _ = try await child.call.receive()
                throw RPCError(.aborted, "had enough")
            }
        }
        let front = try server.channel()
        let error = await failure { _ = try await front.unary(Methods.unary, [1]) }
        #expect(error?.code == .aborted)
        #expect(try await ended.wait())
    }
}
