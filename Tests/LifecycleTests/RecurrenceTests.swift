import Lifecycle
import Loop
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(5))) struct RecurrenceTests {
    struct Failure: Error {}

    @Test func `a round that fails is told once, the next comes all the same, cancelling ends it`()
        async throws
    {
        let (loop, capture) = (EventLoop(), LogCapture())
        let logger = Logger(label: "test", level: .debug, sink: capture.sink)
        let recurrence = Recurrence(on: loop, every: .milliseconds(1), logger: logger)
        let (rounds, said) = AsyncStream.makeStream(of: Int.self)
        let task = Task {
            nonisolated(unsafe) var count = 0
            try await recurrence.run("the round waits") {
                count += 1
                said.yield(count)
                if count == 2 { throw Failure() }
                return count == 4 ? .seconds(3_600) : nil
            }
        }
        var seen: [Int] = []
        for await round in rounds {
            seen.append(round)
            if round == 4 { break }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(seen == [1, 2, 3, 4])
        #expect(capture.lines.count { $0.contains("the round waits") } == 1)
        await loop.stop()
    }
}
