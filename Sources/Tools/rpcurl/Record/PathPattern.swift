/// Which parts of an answer a comparison leaves out: `id`, `lines[*].sku`, `labels.*`,
/// `**.timestamp`. What lies below a part that is left out is left out too.
struct PathPattern: Sendable, Hashable {
    private enum Step: Hashable {
        case name(String)
        /// `*` or `[*]`: any one name or position.
        case any
        /// `**`: any number of steps.
        case anywhere
    }

    private let steps: [Step]

    /// - Throws: `Failure` when a step is empty.
    init(_ text: String) throws(Failure) {
        var steps: [Step] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            var rest = part
            var positions: [Step] = []
            while rest.hasSuffix("]"), let open = rest.lastIndex(of: "[") {
                let position = rest[rest.index(after: open)...].dropLast()
                positions.append(position == "*" ? .any : .name("[\(position)]"))
                rest = rest[..<open]
            }
            guard !rest.isEmpty || !positions.isEmpty else {
                throw .usage("\"\(text)\" is no path: expected one such as lines[*].sku")
            }
            switch rest {
            case "": break
            case "*": steps.append(.any)
            case "**": steps.append(.anywhere)
            default: steps.append(.name(String(rest)))
            }
            steps += positions.reversed()
        }
        self.steps = steps
    }

    /// - Parameter path: names, and positions as `[0]`.
    func matches(_ path: [String]) -> Bool { PathPattern.matches(path[...], steps[...]) }

    private static func matches(_ path: ArraySlice<String>, _ steps: ArraySlice<Step>) -> Bool {
        guard let step = steps.first else { return path.isEmpty }
        if step == .anywhere {
            return path.indices.contains { matches(path[$0...], steps.dropFirst()) }
                || steps.count == 1
        }
        guard let part = path.first else { return false }
        if case .name(let name) = step, name != part { return false }
        return matches(path.dropFirst(), steps.dropFirst())
    }
}
