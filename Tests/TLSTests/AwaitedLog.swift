import Synchronization
import Telemetry

/// Log lines that a test waits for.
final class AwaitedLog: Sendable {
    private struct State {
        var lines: [String] = []
        var waiters: [(part: String, CheckedContinuation<String, Never>)] = []
    }

    private let state = Mutex(State())

    var sink: LogSink {
        LogSink { bytes in
            let line = String(decoding: bytes, as: UTF8.self)
            let ready = self.state.withLock { state in
                state.lines.append(line)
                let ready = state.waiters.filter { line.contains($0.part) }
                state.waiters.removeAll { line.contains($0.part) }
                return ready.map(\.1)
            }
            for waiter in ready { waiter.resume(returning: line) }
        }
    }

    /// So far.
    var all: [String] { state.withLock { $0.lines } }

    /// The first line that contains `part`, now or later.
    func line(with part: String) async -> String {
        await withCheckedContinuation { continuation in
            let line = state.withLock { state -> String? in
                if let line = state.lines.first(where: { $0.contains(part) }) { return line }
                state.waiters.append((part, continuation))
                return nil
            }
            if let line { continuation.resume(returning: line) }
        }
    }
}
