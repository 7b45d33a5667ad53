import Protobuf

/// What a check found.
struct Verdict: Sendable, Equatable {
    enum Grade: String, Sendable {
        /// As it should be.
        case ok
        /// It works, but clients will notice.
        case warn
        /// It breaks the specification, or calls.
        case fail
        /// Could not be checked.
        case skip
    }

    var grade: Grade
    /// One sentence: what was seen, and for warn and fail what it means.
    var text: String

    static func ok(_ text: String) -> Verdict { Verdict(grade: .ok, text: text) }
    static func warn(_ text: String) -> Verdict { Verdict(grade: .warn, text: text) }
    static func fail(_ text: String) -> Verdict { Verdict(grade: .fail, text: text) }
    static func skip(_ text: String) -> Verdict { Verdict(grade: .skip, text: text) }

    /// A line: the grade in four columns, the check, the sentence.
    func line(_ check: String) -> String {
        let word = grade == .fail ? "FAIL" : grade.rawValue
        let left = word + String(repeating: " ", count: 5 - word.count)
        let gap = String(repeating: " ", count: max(1, 14 - check.count))
        return "\(left) \(check)\(gap)\(text)"
    }

    func json(_ check: String) -> JSONValue {
        ["check": .string(check), "verdict": .string(grade.rawValue), "text": .string(text)]
    }
}
