import Protobuf

/// Where two answers differ, field by field.
struct AnswerDiff {
    struct Difference: Equatable {
        /// `messages[0].lines[2].qty`.
        var path: String
        /// Nil where there is none.
        var recorded: JSONValue?
        var answered: JSONValue?

        var text: String {
            func show(_ value: JSONValue?) -> String {
                value.map { String(decoding: $0.encoded(), as: UTF8.self) } ?? "nothing"
            }
            return "\(path): recorded \(show(recorded)), answered \(show(answered))"
        }

        var json: JSONValue {
            var members: [(key: String, value: JSONValue)] = [("path", .string(path))]
            if let recorded { members.append(("recorded", recorded)) }
            if let answered { members.append(("answered", answered)) }
            return .object(members)
        }
    }

    let ignored: [PathPattern]
    private(set) var differences: [Difference] = []

    init(ignoring ignored: [PathPattern] = []) {
        self.ignored = ignored
    }

    /// - Parameters:
    ///   - path: where the values stand.
    ///   - prefix: the part of the path that patterns do not name, such as `messages[0]`.
    mutating func compare(
        _ recorded: JSONValue?, _ answered: JSONValue?, at path: [String] = [], in prefix: [String]
    ) {
        if isIgnored(path, prefix) { return }
        switch (recorded, answered) {
        case (nil, nil): return
        case (.object(let old)?, .object(let new)?):
            var keys = old.map(\.key)
            keys += new.map(\.key).filter { !keys.contains($0) }
            for key in keys {
                compare(recorded?[key], answered?[key], at: path + [key], in: prefix)
            }
        case (.array(let old)?, .array(let new)?):
            for index in 0..<max(old.count, new.count) {
                // `nil` alone would be JSON's null.
                let none = JSONValue?.none
                compare(
                    index < old.count ? old[index] : none, index < new.count ? new[index] : none,
                    at: path + ["[\(index)]"], in: prefix)
            }
        case (let old?, let new?) where AnswerDiff.isEqual(old, new): return
        default:
            differences.append(
                Difference(
                    path: AnswerDiff.text(prefix + path), recorded: recorded, answered: answered))
        }
    }

    /// A pattern may name the whole path (`messages[0].id`) or the part inside a message (`id`).
    private func isIgnored(_ path: [String], _ prefix: [String]) -> Bool {
        ignored.contains { $0.matches(path) && !path.isEmpty || $0.matches(prefix + path) }
    }

    private static func isEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if case .number(let a) = left, case .number(let b) = right {
            return a == b || Double(a) == Double(b) && Double(a) != nil && !isLarge(a)
        }
        return left == right
    }

    /// Beyond 2^53 a Double would call neighbours equal.
    private static func isLarge(_ text: String) -> Bool { abs(Double(text) ?? 0) > 9e15 }

    private static func text(_ path: [String]) -> String {
        var text = ""
        for step in path { text += step.hasPrefix("[") || text.isEmpty ? step : ".\(step)" }
        return text
    }
}
