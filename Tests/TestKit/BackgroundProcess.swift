public import Foundation
import Synchronization

/// A program that runs beside the tests, its output in a file, and that never outlives them.
///
/// Not Foundation's `Process`: that one takes a child for running as long as any of its
/// descendants holds a descriptor of it, and the private PostgreSQL outlives a killed Janji.
public final class BackgroundProcess: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    /// What it wrote to standard output and error.
    public let logFile: URL
    public let pid: pid_t
    /// Whether it leads a group of its own, which ends with it.
    private let leadsGroup: Bool
    private let ended = Mutex<Int32?>(nil)

    /// Starts the program; `logFile` is appended to.
    /// - Parameters:
    ///   - errorFile: for standard error, when it is not to go to the log.
    ///   - leadsGroup: whether its descendants get its signals, too.
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String], logFile: URL,
        errorFile: URL? = nil, folder: URL? = nil, leadsGroup: Bool = false
    ) throws {
        self.logFile = logFile
        self.leadsGroup = leadsGroup
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, logFile.path, flags, 0o644)
        if let errorFile {
            posix_spawn_file_actions_addopen(&actions, 2, errorFile.path, flags, 0o644)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // What is open here is not the child's business.
        for descriptor in Int32(3)..<4096 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let prefix = folder.map { ["/usr/bin/env", "-C", $0.path] } ?? []
        let command = prefix + [executable] + arguments
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of the pool block most signals, and a child begins with what its parent blocks.
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        let group = leadsGroup ? POSIX_SPAWN_SETPGROUP : 0
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | group))
        var words = command.map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command[0], &actions, &attributes, &words, &variables)
        guard code == 0 else {
            throw Failure(description: "\(executable): \(String(cString: strerror(code)))")
        }
        self.pid = pid
        AtExit.kill(leadsGroup ? -pid : pid)
        Thread.detachNewThread { self.reap() }
    }

    /// Whether or not anybody asks for the status: a zombie is in the way of all who wait for any
    /// child, as Swift Testing's exit tests do, which then never hear of their own.
    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        // Nobody signals a process that has the number of this one.
        ended.withLock { ended in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            if !leadsGroup { AtExit.forget(pid) }
            let signal = status & 0x7f
            ended = signal == 0 ? (status >> 8) & 0xff : -signal
        }
    }

    /// The exit code, or the signal that ended it as a negative number; nil while it runs.
    public var status: Int32? { ended.withLock { $0 } }

    public var isRunning: Bool { status == nil }

    public var log: String { Self.contents(logFile) }

    private static func contents(_ file: URL) -> String {
        String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
    }

    public func signal(_ number: Int32) {
        if leadsGroup {
            kill(-pid, number)
        } else {
            ended.withLock { if $0 == nil { kill(pid, number) } }
        }
    }

    /// Waits until it has ended; nil when it still runs after that time.
    public func waitForExit(within time: Duration) async -> Int32? {
        let end = ContinuousClock.now + time
        while isRunning, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(5))
        }
        return status
    }

    /// `kill -9`; returns when it is gone.
    public func kill9() async {
        signal(SIGKILL)
        _ = await waitForExit(within: .seconds(60))
    }

    /// SIGTERM, and after `grace` SIGKILL. The status, nil when it had to be killed.
    @discardableResult
    public func stop(grace: Duration = .seconds(60)) async -> Int32? {
        signal(SIGTERM)
        if let status = await waitForExit(within: grace) {
            if leadsGroup { signal(SIGKILL) }
            return status
        }
        await kill9()
        return nil
    }

    /// Runs a program to its end.
    /// - Returns: its exit code and what it wrote.
    public static func run(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil,
        folder: URL? = nil, timeout: Duration = .seconds(300)
    ) async throws -> (status: Int32, output: String, errors: String) {
        let name = "janji-run-\(UUID().uuidString)"
        let temporary = FileManager.default.temporaryDirectory
        let output = temporary.appendingPathComponent(name + ".out")
        let errors = temporary.appendingPathComponent(name + ".err")
        defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
        let process = try BackgroundProcess(
            executable, arguments,
            environment: environment ?? ProcessInfo.processInfo.environment, logFile: output,
            errorFile: errors, folder: folder)
        guard let status = await process.waitForExit(within: timeout) else {
            await process.kill9()
            throw Failure(
                description: "\(executable) \(arguments) runs longer than \(timeout): "
                    + contents(errors).suffix(500))
        }
        return (status, contents(output), contents(errors))
    }
}
