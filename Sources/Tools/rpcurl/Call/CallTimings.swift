import Environment
import Protobuf

/// When things happened, counted from the beginning of the command.
struct CallTimings {
    private let start: Deadline
    private var marks: [(name: String, time: Duration)] = []

    init(start: Deadline) {
        self.start = start
    }

    /// Remembers the first time that something happens.
    mutating func mark(_ name: String) {
        if marks.contains(where: { $0.name == name }) { return }
        marks.append((name, start.duration(to: .now())))
    }

    /// `{schema_ms, …}`: schema known, request begun, headers, first message, end.
    var json: JSONValue {
        .object(marks.map { ("\($0.name)_ms", .number(CallTimings.milliseconds($0.time))) })
    }

    var text: String {
        marks.map { "\($0.name) \(CallTimings.milliseconds($0.time)) ms" }.joined(separator: ", ")
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let micros = max(0, duration.microseconds)
        let fraction = String(micros % 1000 + 1000).dropFirst()
        return "\(micros / 1000).\(fraction)"
    }
}
