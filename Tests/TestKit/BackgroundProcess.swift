public import Foundation
import Synchronization

/// A program that runs beside the tests, its output in a file, and that never outlives them.
public final class BackgroundProcess: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// What it wrote to standard output and error.
    public let logFile: URL
    public let name: String
    private let process: Mutex<Process>

    /// Starts the program; `logFile` is appended to.
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String], logFile: URL,
        folder: URL? = nil
    ) throws {
        self.logFile = logFile
        name = ([URL(fileURLWithPath: executable).lastPathComponent] + arguments.prefix(2))
            .joined(separator: " ")
        if !FileManager.default.fileExists(atPath: logFile.path) { try Data().write(to: logFile) }
        let log = try FileHandle(forWritingTo: logFile)
        try log.seekToEnd()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
        AtExit.kill(process.processIdentifier)
        self.process = Mutex(process)
    }

    public var pid: Int32 { process.withLock { $0.processIdentifier } }
    public var isRunning: Bool { process.withLock { $0.isRunning } }
    /// The exit code, or the signal that ended it as a negative number; nil while it runs.
    public var status: Int32? {
        process.withLock { process in
            guard !process.isRunning else { return nil }
            let code = process.terminationStatus
            return process.terminationReason == .exit ? code : -code
        }
    }

    public var log: String {
        String(decoding: (try? Data(contentsOf: logFile)) ?? Data(), as: UTF8.self)
    }

    public func signal(_ number: Int32) {
        if isRunning { Foundation.kill(pid, number) }
    }

    /// Waits until it has ended; nil when it still runs after that time.
    public func waitForExit(within time: Duration) async -> Int32? {
        let end = ContinuousClock.now + time
        while isRunning {
            if ContinuousClock.now > end { return nil }
            try? await Task.sleep(for: .milliseconds(10))
        }
        AtExit.forget(pid)
        return status
    }

    /// SIGTERM, and after `grace` SIGKILL. The status, nil when it had to be killed.
    @discardableResult
    public func stop(grace: Duration = .seconds(20)) async -> Int32? {
        signal(SIGTERM)
        if let status = await waitForExit(within: grace) { return status }
        signal(SIGKILL)
        _ = await waitForExit(within: .seconds(5))
        return nil
    }

    /// Runs a program to its end off the tests' threads.
    /// - Returns: its exit code and what it wrote.
    public static func run(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil,
        folder: URL? = nil, timeout: Duration = .seconds(60)
    ) async throws -> (status: Int32, output: String, errors: String) {
        let files = ["out", "err"].map {
            FileManager.default.temporaryDirectory
                .appendingPathComponent("janji-run-\(UUID().uuidString).\($0)")
        }
        defer { for file in files { try? FileManager.default.removeItem(at: file) } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = environment ?? ProcessInfo.processInfo.environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        for file in files { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        let end = ContinuousClock.now + timeout
        while process.isRunning {
            if ContinuousClock.now > end {
                Foundation.kill(process.processIdentifier, SIGKILL)
                throw Failure(description: "\(executable) \(arguments) runs longer than \(timeout)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        let texts = files.map {
            String(decoding: (try? Data(contentsOf: $0)) ?? Data(), as: UTF8.self)
        }
        return (process.terminationStatus, texts[0], texts[1])
    }
}
