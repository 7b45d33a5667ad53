import Environment
import Glibc
import Synchronization
import Testing

@testable import Loop

/// The end of a loop, raced by those who still use it. Each waits for ever when it is lost.
@Suite struct StopTests {
    @Test(.timeLimit(.minutes(5)))
    func `several that stop a loop at once all come back`() async {
        for _ in 0..<300 {
            let loop = EventLoop()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { await loop.stop() } }
            }
            await loop.stop()
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `work beside a stop runs, or its caller is told`() async {
        let workers = 9
        for _ in 0..<100 {
            let loop = EventLoop()
            let ran = Count()
            let returned = Count()
            let told = Count()
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<workers {
                    group.addTask {
                        do {
                            while true {
                                switch number % 3 {
                                case 0: try await loop.submit { ran.add() }
                                case 1: try await loop.blocking { ran.add() }
                                default: try await loop.run { ran.add() }
                                }
                                returned.add()
                            }
                        } catch {
                            #expect((error as? LoopError)?.name == "ECANCELED")
                            told.add()
                        }
                    }
                }
                for _ in 0..<2 {
                    group.addTask {
                        while ran.value < 20 { await Task.yield() }
                        await loop.stop()
                    }
                }
            }
            #expect(ran.value == returned.value)
            #expect(told.value == workers)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `who sleeps while a loop stops is told, on the loop or beside it`() async throws {
        let loop = EventLoop()
        let waiting = Count()
        let sleepers = (0..<4).map { number in
            Task { () async throws -> Void in
                if number < 2 { return try await loop.sleep(for: .seconds(900)) }
                try await loop.run {
                    waiting.add()
                    try await loop.sleep(for: .seconds(900))
                }
            }
        }
        while waiting.value < 2 { await Task.yield() }
        await loop.stop()
        for sleeper in sleepers {
            let error = await #expect(throws: LoopError.self) { try await sleeper.value }
            #expect(error?.name == "ECANCELED")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a stopped loop refuses at once`() async {
        let loop = EventLoop()
        await loop.stop()
        await #expect(throws: LoopError.self) { try await loop.submit {} }
        await #expect(throws: LoopError.self) { try await loop.run {} }
        await #expect(throws: LoopError.self) { try await loop.blocking {} }
        await #expect(throws: LoopError.self) { try await loop.sleep(for: .seconds(900)) }
        await #expect(throws: LoopError.self) {
            try await Resolver.resolve(host: "localhost", port: 1, on: loop)
        }
        await #expect(throws: LoopError.self) {
            try await StreamSocket.connect(to: .ipv4(host: "127.0.0.1", port: 1), on: loop)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a task that waits for the thread pool comes back though its loop stops`() async throws {
        for _ in 0..<20 {
            let loop = EventLoop()
            let gate = Gate()
            async let answer: Int = loop.run { try await loop.blocking { gate.pass() } }
            await gate.entered()
            await loop.stop()
            gate.open()
            #expect(try await answer == 7)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `nothing of a stopped loop is left`() async throws {
        // Loops that leave something do so every time; what other suites open meanwhile comes and
        // goes. A loop that is left has two descriptors and the stack of its thread, 8 MiB.
        let count = 100
        var seen: [(descriptors: Int, kilobytes: Int)] = []
        for _ in 0..<20 {
            let before = try Self.held()
            for _ in 0..<count {
                let loop = EventLoop()
                try await loop.submit {}
                await loop.stop()
            }
            let after = try Self.held()
            let left = (
                after.descriptors - before.descriptors, after.kilobytes - before.kilobytes
            )
            if left.0 < count, left.1 < count * 4096 { return }
            seen.append(left)
        }
        Issue.record("each time something is left: \(seen)")
    }

    /// Open descriptors, and the address space: a thread that nobody joins keeps its stack in it.
    private static func held() throws -> (descriptors: Int, kilobytes: Int) {
        let folder = try #require(opendir("/proc/self/fd"))
        defer { closedir(folder) }
        var descriptors = 0
        while readdir(folder) != nil { descriptors += 1 }
        let file = try #require(fopen("/proc/self/statm", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        fgets(&line, 128, file)
        let pages = String(decoding: line.prefix { $0 != 32 }.map(UInt8.init), as: UTF8.self)
        return (descriptors, try #require(Int(pages)) * 4)
    }
}

/// Holds a thread until it is opened.
private final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)
    private let isEntered = Atomic<Bool>(false)

    func pass() -> Int {
        isEntered.store(true, ordering: .releasing)
        while !isOpen.load(ordering: .acquiring) { usleep(100) }
        return 7
    }

    func entered() async {
        while !isEntered.load(ordering: .acquiring) { await Task.yield() }
    }

    func open() { isOpen.store(true, ordering: .releasing) }
}
