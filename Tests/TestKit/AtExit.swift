import Foundation
import Synchronization

/// What must not outlive the tests: processes and folders.
enum AtExit {
    private static let state = Mutex<(pids: Set<Int32>, cleanups: [@Sendable () -> Void])>(([], []))
    private static let hook: Void = {
        _ = atexit {
            let (pids, cleanups) = AtExit.state.withLock { $0 }
            for pid in pids { Foundation.kill(pid, SIGKILL) }
            for cleanup in cleanups { cleanup() }
        }
    }()

    static func kill(_ pid: Int32) {
        _ = hook
        _ = state.withLock { $0.pids.insert(pid) }
    }

    static func forget(_ pid: Int32) {
        _ = state.withLock { $0.pids.remove(pid) }
    }

    static func run(_ cleanup: @escaping @Sendable () -> Void) {
        _ = hook
        state.withLock { $0.cleanups.append(cleanup) }
    }
}
