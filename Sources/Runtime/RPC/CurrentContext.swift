import Glibc

/// What `ServerContext.$current.withValue` does, without its closure: around a handler it asked
/// three times for the executor, which took 4 % of a unary call's instructions (callgrind). The
/// symbols are the two that it calls itself, of the concurrency runtime's ABI; where they cannot be
/// found (a statically linked runtime) it is called after all.
enum CurrentContext {
    private typealias Push =
        @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer) -> Void
    private typealias Pop = @convention(c) () -> Void

    private static let functions: (push: Push, pop: Pop)? = {
        guard let push = dlsym(nil, "swift_task_localValuePush"),
            let pop = dlsym(nil, "swift_task_localValuePop")
        else { return nil }
        return (unsafeBitCast(push, to: Push.self), unsafeBitCast(pop, to: Pop.self))
    }()

    /// Binds `ServerContext.current` for the current task until `end`, which the same function
    /// calls before it returns. False: it cannot be done this way.
    @inline(__always)
    static func begin(_ context: ServerContext) -> Bool {
        guard let functions else { return false }
        var value: ServerContext? = context
        let key = Unmanaged.passUnretained(ServerContext.$current).toOpaque()
        let type = unsafeBitCast(ServerContext?.self as Any.Type, to: UnsafeRawPointer.self)
        withUnsafeMutablePointer(to: &value) { place in
            functions.push(key, place, type)
            // The task took it.
            place.initialize(to: nil)
        }
        return true
    }

    @inline(__always)
    static func end() {
        functions?.pop()
    }
}
