import Glibc

/// What `withTaskCancellationHandler` does, without its closures: to wait for one message is a small
/// thing, and that function, which is generic and never specialised, took a tenth of a ping-pong
/// round (callgrind). The symbols are the two that it calls itself, of the concurrency runtime's
/// ABI; where they cannot be found (a statically linked runtime) it is called after all.
@usableFromInline
enum TaskCancellation {
    // As stored properties functions keep their natural calling convention.
    private struct Add {
        let call: (() -> Void) -> UnsafeRawPointer
    }

    private struct Remove {
        let call: (UnsafeRawPointer) -> Void
    }

    /// A Swift function value is its code and its context, which these have not.
    private typealias Words = (code: UnsafeMutableRawPointer, context: UnsafeRawPointer?)

    nonisolated(unsafe) private static let functions: (Add, Remove)? = {
        guard let add = dlsym(nil, "swift_task_addCancellationHandler"),
            let remove = dlsym(nil, "swift_task_removeCancellationHandler")
        else { return nil }
        return (
            unsafeBitCast((add, nil) as Words, to: Add.self),
            unsafeBitCast((remove, nil) as Words, to: Remove.self)
        )
    }()

    /// Calls `handler` when the current task is cancelled, at once when it is already; on any
    /// thread. The handler has to live until `end`, which the same function calls before it
    /// returns. Nil: it cannot be done this way.
    @usableFromInline
    static func begin(_ handler: @Sendable () -> Void) -> UnsafeRawPointer? {
        functions?.0.call(handler)
    }

    @usableFromInline
    static func end(_ record: UnsafeRawPointer) {
        functions?.1.call(record)
    }
}
