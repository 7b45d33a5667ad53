import Synchronization

/// Keeps log lines in memory, for tests that assert what was (not) logged.
public final class LogCapture: Sendable {
    private let captured = Mutex<[String]>([])

    public init() {}

    /// The sink to give to a `Logger`; it keeps this object alive.
    public var sink: LogSink {
        LogSink { line in
            let text = String(decoding: line.dropLast(), as: UTF8.self)
            self.captured.withLock { $0.append(text) }
        }
    }

    /// The lines so far, without line feeds.
    public var lines: [String] { captured.withLock { $0 } }

    public func contains(_ text: String) -> Bool {
        lines.contains { $0.contains(text) }
    }

    public func removeAll() {
        captured.withLock { $0.removeAll() }
    }
}
