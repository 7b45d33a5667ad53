import Loop
import RPC
import RPCHTTP2
import Synchronization
import Testing

/// Handlers that run one after the other in one task must not notice each other.
@Suite(.timeLimit(.minutes(5))) struct SharedTaskTests {
    /// 60 calls leave in one write. Every third handler waits; of those one is cancelled.
    @Test func callsOfOneBatchAreApart() async throws {
        let waiting = Mutex<[Int: CheckedContinuation<Void, Never>]>([:])
        let isComplete = AsyncStream<Void>.makeStream()
        let test = try await TestServer { router in
            router.handle(Methods.unary) { call in
                let number = Int(try await call.receiveOnly()[0])
                let mine = ServerContext.current.map { $0 === call.context } ?? false
                if number % 3 == 0 {
                    await withCheckedContinuation { continuation in
                        let count = waiting.withLock { waiting in
                            waiting[number] = continuation
                            return waiting.count
                        }
                        if count == 20 { isComplete.continuation.yield() }
                    }
                }
                let stillMine = ServerContext.current.map { $0 === call.context } ?? false
                if number == 7 { throw RPCError(.aborted, "seven") }
                let isCancelled = Task.isCancelled || call.context.isCancelled
                try call.sendOnly([UInt8(number), mine && stillMine ? 1 : 0, isCancelled ? 1 : 0])
            }
        }
        let channel = try test.channel()
        let cancelled = Task { try await channel.unary(Methods.unary, [0]) }
        let answers = try await channel.loop.run {
            try await withThrowingTaskGroup(of: (Int, Result<[UInt8], any Error>).self) { group in
                for number in 1..<60 {
                    group.addTask {
                        do {
                            let answer = try await channel.unary(Methods.unary, [UInt8(number)])
                            return (number, .success(answer))
                        } catch {
                            return (number, .failure(error))
                        }
                    }
                }
                for await _ in isComplete.stream { break }
                cancelled.cancel()
                _ = await cancelled.result
                for continuation in waiting.withLock({ Array($0.values) }) { continuation.resume() }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
        }
        for number in 1..<60 where number != 7 {
            #expect(try answers[number]?.get() == [UInt8(number), 1, 0])
        }
        #expect(throws: RPCError.self) { try answers[7]?.get() }
        channel.close()
        _ = await test.server.drain()
    }
}
