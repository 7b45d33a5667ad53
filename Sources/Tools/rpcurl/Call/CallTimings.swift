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

    /// A line for each step: when it ended, and how long it took.
    var lines: [String] {
        var last = Duration.zero
        return marks.map { mark in
            defer { last = mark.time }
            let step = CallTimings.milliseconds(mark.time - last)
            return "\(mark.name): +\(step) ms, at \(CallTimings.milliseconds(mark.time)) ms"
        }
    }

    var text: String {
        marks.map { "\($0.name) \(CallTimings.milliseconds($0.time)) ms" }.joined(separator: ", ")
    }

    static func milliseconds(_ duration: Duration) -> String {
        let micros = max(0, duration.microseconds)
        let fraction = String(micros % 1000 + 1000).dropFirst()
        return "\(micros / 1000).\(fraction)"
    }
}
