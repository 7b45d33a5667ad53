import Glibc
import Synchronization

// Four threads add to one number, under its lock or (`contended unguarded`) beside it: what
// deploy/tsan proves its own eyes with. See mutex.c.

final class Numbers: @unchecked Sendable {
    static let shared = Numbers()
    let guarded = Mutex(0)
    var unguarded = 0
}

nonisolated func add(_: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    for _ in 0..<100_000 { Numbers.shared.guarded.withLock { $0 += 1 } }
    return nil
}

nonisolated func addBeside(_: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    for _ in 0..<1000 { Numbers.shared.unguarded += 1 }
    return add(nil)
}

@main enum Contended {
    nonisolated static func main() {
        typealias Body = @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
        let body: Body = CommandLine.arguments.contains("unguarded") ? addBeside : add
        let threads = (0..<4).map { _ in
            var thread = pthread_t()
            pthread_create(&thread, nil, body, nil)
            return thread
        }
        for thread in threads { pthread_join(thread, nil) }
        precondition(Numbers.shared.guarded.withLock { $0 } == 400_000)
    }
}
