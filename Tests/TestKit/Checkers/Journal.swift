public import Foundation
import Glibc
import Synchronization

/// What clients saw, written down on their side before and after each request: the truth that the
/// servers are held to (reliability.md §2.3). One JSON line for each event, each written before the
/// client goes on, so the file of a client that is killed is complete.
public final class Journal: Sendable {
    public enum Outcome: String, Sendable, Hashable {
        /// Acknowledged: it has happened.
        case ok
        /// Refused: it has not happened and will not.
        case fail
        /// Unknown: it may have happened, or still happen.
        case info
    }

    /// A request and how it ended.
    public struct Operation: Sendable, Hashable {
        public let id: Int
        public let process: Int
        public let name: String
        public let key: String
        /// What was asked.
        public let argument: String
        /// Nanoseconds of one monotonic clock.
        public let invoked: UInt64
        /// Nil while it runs.
        public var returned: UInt64?
        public var outcome = Outcome.info
        /// What was answered, or why it was refused.
        public var value = ""

        public init(
            id: Int, process: Int = 0, name: String, key: String, argument: String = "",
            invoked: UInt64, returned: UInt64? = nil, outcome: Outcome = .info, value: String = ""
        ) {
            self.id = id
            self.process = process
            self.name = name
            self.key = key
            self.argument = argument
            self.invoked = invoked
            self.returned = returned
            self.outcome = outcome
            self.value = value
        }
    }

    private let descriptor: Int32
    private let state = Mutex<[Operation]>([])

    /// - Parameter file: is appended to; nil keeps the journal in memory only.
    public init(_ file: URL? = nil) {
        descriptor =
            file.map { open($0.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) } ?? -1
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Before the request is sent; returns what ``end(_:_:_:)`` is told.
    public func begin(_ process: Int, _ name: String, _ key: String, _ argument: String = "") -> Int
    {
        let now = Self.now
        let id = state.withLock { all in
            all.append(
                Operation(
                    id: all.count, process: process, name: name, key: key, argument: argument,
                    invoked: now))
            return all.count - 1
        }
        write(process, name, key, argument, "invoke", now)
        return id
    }

    /// After the answer, before anything else is done.
    public func end(_ id: Int, _ outcome: Outcome, _ value: String = "") {
        let now = Self.now
        let operation = state.withLock { all in
            all[id].returned = now
            all[id].outcome = outcome
            all[id].value = value
            return all[id]
        }
        write(
            operation.process, operation.name, operation.key, value, outcome.rawValue, now)
    }

    public var operations: [Operation] { state.withLock { $0 } }

    /// How many have begun.
    public var attempts: Int { state.withLock { $0.count } }

    public func count(_ outcome: Outcome) -> Int {
        state.withLock { $0.count { $0.outcome == outcome } }
    }

    private func write(
        _ process: Int, _ name: String, _ key: String, _ text: String, _ type: String,
        _ time: UInt64
    ) {
        guard descriptor >= 0 else { return }
        let line =
            #"{"p":\#(process),"op":"\#(name)","key":"\#(key)","type":"\#(type)","t":\#(time),"value":"\#(Self.plain(text))"}"#
            + "\n"
        _ = line.utf8.withContiguousStorageIfAvailable {
            Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
    }

    private static func plain(_ text: String) -> String {
        String(text.prefix(200).map { $0 == "\"" || $0 == "\\" || $0.isNewline ? "_" : $0 })
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
