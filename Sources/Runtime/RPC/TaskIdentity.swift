import Glibc

/// Which task runs: an address to compare, never to follow.
///
/// `withUnsafeCurrentTask` gives the same answer through a resilient type's value witnesses, which
/// took 7 % of a ping-pong round (callgrind). The symbol belongs to the concurrency runtime's ABI;
/// where it cannot be found (a statically linked runtime) nobody is recognised, which is slower
/// and still right.
enum TaskIdentity {
    private typealias GetCurrent = @convention(c) () -> UnsafeRawPointer?

    private static let getCurrent: GetCurrent? = dlsym(nil, "swift_task_getCurrent").map {
        unsafeBitCast($0, to: GetCurrent.self)
    }

    @inline(__always)
    static var current: UnsafeRawPointer? { getCurrent?() }
}
