import Environment
import Lifecycle
import Loop
import Synchronization
import Telemetry
import Testing

/// Writes down when it starts and stops, and ends as it is told.
private final class Recorder: Service {
    enum Ending: Sendable { case whenCancelled, fails, returns, never }

    struct Failure: Error {}

    let name: String
    let ending: Ending
    let loop: EventLoop
    let journal: Journal

    init(_ name: String, _ ending: Ending, _ loop: EventLoop, _ journal: Journal) {
        self.name = name
        self.ending = ending
        self.loop = loop
        self.journal = journal
    }

    func run() async throws {
        journal.add("+\(name)")
        defer { journal.add("-\(name)") }
        switch ending {
        case .whenCancelled: try await loop.sleep(for: .seconds(600))
        case .fails:
            try await loop.sleep(for: .milliseconds(20))
            throw Failure()
        case .returns: try await loop.sleep(for: .milliseconds(20))
        case .never:
            while !journal.isOver { try? await loop.sleep(for: .milliseconds(5)) }
        }
    }
}

private final class Journal: Sendable {
    private let state = Mutex((lines: [String](), over: false))
    var lines: [String] { state.withLock { $0.lines } }
    var isOver: Bool { state.withLock { $0.over } }
    func add(_ line: String) { state.withLock { $0.lines.append(line) } }
    func end() { state.withLock { $0.over = true } }
}

@Suite(.timeLimit(.minutes(5))) struct ServiceGroupTests {
    @Test func `services stop in the reverse order of their start`() async throws {
        let loop = EventLoop()
        let journal = Journal()
        let group = ServiceGroup(
            ["a", "b", "c"].map { ($0, Recorder($0, .whenCancelled, loop, journal)) },
            loop: loop, logger: Logger(label: "test", sink: .discarding))
        let task = Task { try await group.run() }
        while journal.lines.count < 3 { try await loop.sleep(for: .milliseconds(2)) }
        task.cancel()
        try await task.value
        #expect(journal.lines == ["+a", "+b", "+c", "-c", "-b", "-a"])
        await loop.stop()
    }

    @Test func `a failing service ends the group with its error`() async throws {
        let loop = EventLoop()
        let journal = Journal()
        let group = ServiceGroup(
            [
                ("stays", Recorder("stays", .whenCancelled, loop, journal)),
                ("fails", Recorder("fails", .fails, loop, journal)),
            ], loop: loop, logger: Logger(label: "test", sink: .discarding))
        await #expect(throws: Recorder.Failure.self) { try await group.run() }
        #expect(Set(journal.lines) == ["+stays", "+fails", "-stays", "-fails"])
        await loop.stop()
    }

    @Test func `a service that returns ends the group without an error`() async throws {
        let loop = EventLoop()
        let journal = Journal()
        let group = ServiceGroup(
            [("returns", Recorder("returns", .returns, loop, journal))],
            loop: loop, logger: Logger(label: "test", sink: .discarding))
        try await group.run()
        #expect(journal.lines == ["+returns", "-returns"])
        await loop.stop()
    }

    @Test func `a service that ignores its cancellation does not hold the others`() async throws {
        let loop = EventLoop()
        let journal = Journal()
        let log = LogCapture()
        let group = ServiceGroup(
            [
                ("last", Recorder("last", .whenCancelled, loop, journal)),
                ("deaf", Recorder("deaf", .never, loop, journal)),
            ], loop: loop, logger: Logger(label: "test", sink: log.sink),
            grace: .milliseconds(50))
        let task = Task { try await group.run() }
        while journal.lines.count < 2 { try await loop.sleep(for: .milliseconds(2)) }
        task.cancel()
        try await task.value
        #expect(!journal.lines.contains("-deaf"))
        // Its own grace may be over before a busy machine lets it stop.
        while !journal.lines.contains("-last") { try await loop.sleep(for: .milliseconds(2)) }
        #expect(log.contains("did not drain in time"))
        journal.end()
        while !journal.lines.contains("-deaf") { try await loop.sleep(for: .milliseconds(2)) }
        await loop.stop()
    }
}
