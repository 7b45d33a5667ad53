import Protobuf

/// Collects lines of Swift and knows their indentation.
struct CodePrinter {
    private(set) var text = ""
    private var depth = 0

    /// One line; an empty one carries no spaces.
    mutating func line(_ line: String = "") {
        if !line.isEmpty {
            text += String(repeating: "    ", count: depth)
            text += line
        }
        text += "\n"
    }

    /// `head {`, the lines of `body` one step to the right, `}`.
    mutating func block(_ head: String, _ body: (inout CodePrinter) -> Void) {
        line("\(head) {")
        indented(body)
        line("}")
    }

    mutating func indented(_ body: (inout CodePrinter) -> Void) {
        depth += 1
        body(&self)
        depth -= 1
    }

    /// The comments of a declaration in the proto as a doc comment.
    ///
    /// A deprecated one is only called so here: `@available` would make the generated code itself
    /// warn wherever it reads or writes it.
    mutating func documentation(
        _ comments: FileSchema.Comments?, deprecated: Bool = false, absent: String? = nil
    ) {
        var lines = CodePrinter.lines(comments)
        if let absent { lines.append("Means \(absent) when absent.") }
        if deprecated { lines.append("Deprecated in the proto file.") }
        for line in lines {
            self.line(line.isEmpty ? "///" : "/// \(line)")
        }
    }

    private static func lines(_ comments: FileSchema.Comments?) -> [Substring] {
        guard let comments else { return [] }
        let text = comments.leading.isEmpty ? comments.trailing : comments.leading
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(" ") ? $0.dropFirst() : $0 }
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        return lines
    }
}
