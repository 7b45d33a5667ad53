import Environment
import Loop
import TestKit
import Testing

@testable import Domain

struct WakeupTests {
    private let wakeup = Wakeup()

    private func wait(_ longest: Duration) async -> Duration {
        let start = Deadline.now()
        await wakeup.wait(upTo: longest, on: Bench.loop)
        return start.duration(to: .now())
    }

    @Test("a signal before the wait is kept, once")
    func kept() async {
        wakeup.signal()
        wakeup.signal()
        #expect(await wait(.seconds(900)) < .seconds(600))
        #expect(await wait(.milliseconds(50)) >= .milliseconds(45))
    }

    @Test("time alone ends a wait, and leaves no signal behind")
    func time() async {
        for _ in 0..<3 { #expect(await wait(.milliseconds(40)) >= .milliseconds(35)) }
    }

    @Test("a cancelled wait ends at once, also one that begins cancelled")
    func cancelled() async {
        let task = Task { await wait(.seconds(900)) }
        task.cancel()
        #expect(await task.value < .seconds(600))
    }

    @Test("every signal from another thread ends a wait: none is lost, nobody spins")
    func race() async throws {
        let turns = Count()
        let waiter = Task {
            while !Task.isCancelled {
                await wakeup.wait(upTo: .seconds(900), on: Bench.loop)
                turns.add()
            }
        }
        for round in 1...200 {
            wakeup.signal()
            // The next signal is given only after this one was seen: a lost one would end here.
            try #require(await eventually(every: .milliseconds(1)) { turns.value >= round })
        }
        try await Bench.loop.sleep(for: .milliseconds(100))
        #expect(turns.value < 220, "a signal causes one turn, seldom two")
        waiter.cancel()
        await waiter.value
    }
}
