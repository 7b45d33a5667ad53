public import Environment

/// Writes one JSON object per line: `time`, `level`, `label`, `message`, then the fields.
///
/// A value: copy it, narrow it with `with`, keep it. A dropped line costs one comparison, since
/// message and fields are built only when the line is written. Thread-safe.
public struct Logger: Sendable {
    public let label: String
    public var level: Level
    private let sink: LogSink
    private let clock: Clock
    private var fields: LogFields = [:]

    public init(
        label: String, level: Level = .info, sink: LogSink = .standardError, clock: Clock = .system
    ) {
        self.label = label
        self.level = level
        self.sink = sink
        self.clock = clock
    }

    public func debug(
        _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
    ) {
        log(.debug, message(), fields())
    }

    public func info(
        _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
    ) {
        log(.info, message(), fields())
    }

    public func warning(
        _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
    ) {
        log(.warning, message(), fields())
    }

    public func error(
        _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
    ) {
        log(.error, message(), fields())
    }

    /// A logger that adds these fields to each of its lines; a line's own fields win.
    public func with(_ fields: LogFields) -> Logger {
        var copy = self
        copy.fields = self.fields.merging(fields)
        return copy
    }

    /// The same sink, level and fields under another label.
    public func labelled(_ label: String) -> Logger {
        var copy = Logger(label: label, level: level, sink: sink, clock: clock)
        copy.fields = fields
        return copy
    }

    public func log(
        _ level: Level, _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> LogFields = [:]
    ) {
        guard level >= self.level else { return }
        var line = LogLine()
        line.add("time", .string(clock.now().rfc3339))
        line.add("level", .string(level.rawValue))
        line.add("label", .string(label))
        line.add("message", .string(message()))
        for entry in self.fields.merging(fields()).entries {
            line.add(
                Self.reserved.contains(entry.name) ? entry.name + "_" : entry.name, entry.value)
        }
        sink.write(line.finished())
    }

    /// A field must not replace what every line has: it gets an underscore instead.
    private static let reserved: Set<String> = ["time", "level", "label", "message"]
}
