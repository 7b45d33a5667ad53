/// Names near a misspelt one.
enum Suggestion {
    /// "did you mean …?", or what there is instead.
    /// - Parameter kind: what is suggested, in the plural.
    static func text(_ name: String, of known: [String], _ kind: String) -> String {
        if known.isEmpty { return "there are no \(kind)" }
        let lower = name.lowercased()
        let last = lower.split(separator: ".").last.map(String.init) ?? lower
        let ranked = known.map { candidate in
            let text = candidate.lowercased()
            let tail = text.split(separator: ".").last.map(String.init) ?? text
            return (min(distance(lower, text), distance(last, tail)), candidate)
        }
        .sorted { $0 < $1 }
        if let best = ranked.first, best.0 <= max(2, last.count / 3) {
            return "did you mean \(best.1)?"
        }
        let shown = known.prefix(8).joined(separator: ", ")
        return "the \(kind) are \(shown)\(known.count > 8 ? ", …" : "")"
    }

    /// Levenshtein's distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (index, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
