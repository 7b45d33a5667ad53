import CUV
import Glibc
import Synchronization

/// A child process, reaped by its loop.
public final class ChildProcess: @unchecked Sendable {  // `handle` confined to the loop
    public private(set) var pid: Int32 = 0
    private let loop: EventLoop
    private var handle: UnsafeMutablePointer<uv_process_t>?
    private let state = Mutex(State())

    private struct State {
        var status: Int32?
        var waiters: [CheckedContinuation<Int32, Never>] = []
    }

    private init(loop: EventLoop) { self.loop = loop }

    /// Starts `executable` (a path) with its arguments.
    /// - Parameters:
    ///   - environment: the child's whole environment; `nil` inherits ours.
    ///   - user: run as this user; needs root.
    ///   - output: a descriptor for standard output and error; `nil` inherits ours.
    /// - Throws: `LoopError`, for example `ENOENT`.
    public static func start(
        executable: String, arguments: [String], environment: [String: String]? = nil,
        user: (uid: UInt32, gid: UInt32)? = nil, output: Int32? = nil, on loop: EventLoop
    ) async throws -> ChildProcess {
        let process = ChildProcess(loop: loop)
        try await loop.submit {
            try process.spawn(executable, arguments, environment, user, output)
        }
        return process
    }

    private func spawn(
        _ executable: String, _ arguments: [String], _ environment: [String: String]?,
        _ user: (uid: UInt32, gid: UInt32)?, _ output: Int32?
    ) throws(LoopError) {
        let handle = UnsafeMutablePointer<uv_process_t>.allocate(capacity: 1)
        handle.initialize(to: uv_process_t())
        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = (environment ?? [:]).map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for pointer in argv + envp { free(pointer) }
        }
        var stdio = [uv_stdio_container_t](repeating: uv_stdio_container_t(), count: 3)
        stdio[0].flags = UV_IGNORE
        for index in 1...2 {
            stdio[index].flags = UV_INHERIT_FD
            stdio[index].data.fd = output ?? Int32(index)
        }
        let code = argv.withUnsafeMutableBufferPointer { argv in
            envp.withUnsafeMutableBufferPointer { envp in
                stdio.withUnsafeMutableBufferPointer { stdio in
                    executable.withCString { file in
                        var options = uv_process_options_t()
                        options.file = file
                        options.args = argv.baseAddress
                        if environment != nil { options.env = envp.baseAddress }
                        options.stdio = stdio.baseAddress
                        options.stdio_count = 3
                        options.flags = UInt32(UV_PROCESS_DETACHED.rawValue)
                        if let user {
                            options.uid = user.uid
                            options.gid = user.gid
                            options.flags |= UInt32(
                                UV_PROCESS_SETUID.rawValue | UV_PROCESS_SETGID.rawValue)
                        }
                        options.exit_cb = ChildProcess.exited
                        // Balanced when the process has exited.
                        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
                        return uv_spawn(loop.raw, handle, &options)
                    }
                }
            }
        }
        if code < 0 {
            Handle.close(handle)
            Unmanaged.passUnretained(self).release()
            throw LoopError(code: code, operation: "start \(executable)")
        }
        self.handle = handle
        pid = handle.pointee.pid
    }

    private static let exited: uv_exit_cb = { handle, status, signal in
        guard let handle, let data = handle.pointee.data else { return }
        let process = Unmanaged<ChildProcess>.fromOpaque(data).takeRetainedValue()
        process.handle = nil
        Handle.close(handle)
        process.finish(signal == 0 ? Int32(truncatingIfNeeded: status) : 128 + signal)
    }

    private func finish(_ status: Int32) {
        let waiters = state.withLock { state in
            state.status = status
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }

    /// Sends a signal; nothing happens when the process has exited.
    public func signal(_ number: Int32) {
        if state.withLock({ $0.status == nil }) { kill(pid, number) }
    }

    /// The exit code, or 128 + the signal that ended it.
    public func waitForExit() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}
