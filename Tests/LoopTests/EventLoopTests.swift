import Environment
import Synchronization
import Testing

@testable import Loop

@Suite(.timeLimit(.minutes(5))) struct EventLoopTests {
    @Test func `jobs of a task that prefers the loop run on its thread and stay there`()
        async throws
    {
        let loop = EventLoop()
        let stayed = try await loop.run {
            let before = loop.isInLoop
            try await loop.sleep(for: .milliseconds(2))
            await Task.yield()
            return before && loop.isInLoop
        }
        #expect(stayed)
        #expect(!loop.isInLoop)
        await loop.stop()
    }

    @Test func `end of turn comes after the jobs that are ready`() async throws {
        let loop = EventLoop()
        let order: [Int] = try await withCheckedThrowingContinuation { continuation in
            loop.execute {
                nonisolated(unsafe) var order: [Int] = []
                loop.atTurnEnd {
                    order.append(3)
                    continuation.resume(returning: order)
                }
                loop.execute { order.append(1) }
                loop.execute { order.append(2) }
            }
        }
        #expect(order == [1, 2, 3])
        await loop.stop()
    }

    @Test func `a sleep ends at once when its task is cancelled`() async throws {
        let loop = EventLoop()
        let started = Deadline.now()
        let task = Task { try await loop.sleep(for: .seconds(900)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(Deadline.now().nanoseconds - started.nanoseconds < 600_000_000_000)
        await loop.stop()
    }

    @Test func `work from many threads arrives once each`() async throws {
        let loop = EventLoop()
        let count = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    for _ in 0..<100 { try await loop.submit { count.add() } }
                }
            }
            try await group.waitForAll()
        }
        #expect(count.value == 6_400)
        await loop.stop()
    }

    @Test func `blocking work leaves the loop free`() async throws {
        let loop = EventLoop()
        let inLoop = try await loop.blocking { loop.isInLoop }
        #expect(!inLoop)
        await loop.stop()
    }

    @Test func `a repeating timer stops when cancelled, also from inside`() async throws {
        let loop = EventLoop()
        let count: Int = try await withCheckedThrowingContinuation { continuation in
            loop.execute {
                nonisolated(unsafe) var fired = 0
                nonisolated(unsafe) var told = false
                nonisolated(unsafe) var timer: LoopTimer?
                timer = loop.schedule(every: .milliseconds(2)) {
                    fired += 1
                    if fired == 3 { timer?.cancel() }
                }
                _ = loop.schedule(every: .milliseconds(1)) {
                    guard fired >= 3, !told else { return }
                    told = true
                    _ = loop.schedule(after: .milliseconds(20)) {
                        continuation.resume(returning: fired)
                    }
                }
            }
        }
        #expect(count == 3)
        await loop.stop()
    }

    @Test func `a timer that its body starts again for this moment leaves the loop its turn`()
        async throws
    {
        let loop = EventLoop()
        try await loop.submit {
            nonisolated(unsafe) var timer: LoopTimer?
            timer = loop.schedule(every: .milliseconds(1)) { timer?.restart(after: .zero) }
            // And one that is made anew each time.
            @Sendable func again() { _ = loop.schedule(after: .zero) { again() } }
            again()
        }
        for _ in 0..<3 {
            try await loop.sleep(for: .milliseconds(3))
            #expect(try await loop.submit { loop.isInLoop })
        }
        await loop.stop()
    }
}

final class Count: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}
