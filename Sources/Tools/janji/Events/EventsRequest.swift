import Domain
import Environment

/// What `janji events …` asks for.
enum EventsRequest: Sendable, Hashable {
    case list(Range, after: OutboxArchive.Cursor?, limit: Int, withBodies: Bool)
    case replay(Range, isRehearsal: Bool)
    case deadLetters(topic: String)
    case redrive(topic: String, limit: Int)

    /// Events of one service's outbox.
    struct Range: Sendable, Hashable {
        var schema = "booking"
        var selection = OutboxArchive.Selection()
    }

    static let schemas = ["booking", "schedule"]
    static let longestList = 10_000

    /// - Throws: ``ConfigurationError`` with what to do instead.
    init(_ arguments: [String]) throws(ConfigurationError) {
        guard let verb = arguments.first else {
            throw ConfigurationError("usage: janji events list|replay|dlq|redrive …; see --help")
        }
        var options = Options(Array(arguments.dropFirst()))
        switch verb {
        case "list":
            let range = try Self.range(&options)
            self = .list(
                range, after: try Self.cursor(&options), limit: try Self.limit(&options, 50),
                withBodies: options.flag("--body"))
        case "replay":
            let range = try Self.range(&options)
            let takesAll = options.flag("--all")
            if range.selection.isEverything, !takesAll {
                throw ConfigurationError(
                    "say which events by --topic, --key, --since or --until, or --all")
            }
            self = .replay(range, isRehearsal: options.flag("--dry-run"))
        case "dlq": self = .deadLetters(topic: try options.word("a topic"))
        case "redrive":
            let topic = try options.word("a topic")
            self = .redrive(topic: topic, limit: try Self.limit(&options, Self.longestList))
        default:
            throw ConfigurationError("`\(verb)` is none of list, replay, dlq and redrive")
        }
        try options.finish()
    }

    private static func range(_ options: inout Options) throws(ConfigurationError) -> Range {
        var range = Range()
        if let schema = try options.value("--schema") {
            guard schemas.contains(schema) else {
                throw ConfigurationError(
                    "`\(schema)` has no outbox; there are \(schemas.joined(separator: ", "))")
            }
            range.schema = schema
        }
        range.selection.topic = try options.value("--topic")
        range.selection.key = try options.value("--key")
        range.selection.since = try instant("--since", &options)
        range.selection.until = try instant("--until", &options)
        return range
    }

    private static func instant(
        _ name: String, _ options: inout Options
    ) throws(ConfigurationError) -> Instant? {
        guard let text = try options.value(name) else { return nil }
        guard let instant = Instant(rfc3339: text) else {
            throw ConfigurationError("\(name) is “\(text)”, not a time as 2026-11-21T08:00:00Z")
        }
        return instant
    }

    private static func cursor(
        _ options: inout Options
    ) throws(ConfigurationError) -> OutboxArchive.Cursor? {
        guard let text = try options.value("--after") else { return nil }
        guard let cursor = OutboxArchive.Cursor(text) else {
            throw ConfigurationError("--after is “\(text)”, not the first column of a list")
        }
        return cursor
    }

    private static func limit(
        _ options: inout Options, _ fallback: Int
    ) throws(ConfigurationError) -> Int {
        guard let text = try options.value("--limit") else { return fallback }
        guard let limit = Int(text), (1...longestList).contains(limit) else {
            throw ConfigurationError("--limit is “\(text)”, not a number from 1 to \(longestList)")
        }
        return limit
    }

    /// `--name value` and flags, in any order.
    private struct Options {
        private var rest: [String]

        init(_ arguments: [String]) { rest = arguments }

        mutating func flag(_ name: String) -> Bool {
            guard let index = rest.firstIndex(of: name) else { return false }
            rest.remove(at: index)
            return true
        }

        mutating func value(_ name: String) throws(ConfigurationError) -> String? {
            guard let index = rest.firstIndex(of: name) else { return nil }
            guard index + 1 < rest.count else { throw ConfigurationError("\(name) needs a value") }
            let value = rest[index + 1]
            rest.removeSubrange(index...(index + 1))
            return value
        }

        mutating func word(_ what: String) throws(ConfigurationError) -> String {
            guard let word = rest.first, !word.hasPrefix("--") else {
                throw ConfigurationError("name \(what)")
            }
            return rest.removeFirst()
        }

        func finish() throws(ConfigurationError) {
            if let extra = rest.first {
                throw ConfigurationError("`\(extra)` is not understood; see janji events --help")
            }
        }
    }
}
