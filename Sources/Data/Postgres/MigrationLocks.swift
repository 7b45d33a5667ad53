/// Which statements of a migration take locks that live traffic can meet. Pure: read from the
/// text, so `do` blocks and functions are only named.
enum MigrationLocks {
    /// One line for each such statement: the lock, and the statement's beginning. Tables that the
    /// same text has created are nobody else's yet.
    static func of(_ sql: String) -> [String] {
        let statements = split(sql)
        var own: Set<String> = []
        return statements.compactMap { statement in
            if let table = created(statement) { own.insert(table) }
            guard let (lock, table) = lock(of: statement), !own.contains(table) else { return nil }
            let head = statement.joined(separator: " ")
            return "\(lock): \(head.count > 80 ? head.prefix(79) + "…" : head[...])"
        }
    }

    private static func created(_ words: [String]) -> String? {
        guard words.count > 2, words[0] == "create" else { return nil }
        guard let table = words.firstIndex(of: "table"), table <= 2 else { return nil }
        let name = words.dropFirst(table + 1).first { !["if", "not", "exists"].contains($0) }
        return name.map(bare)
    }

    private static func lock(of words: [String]) -> (lock: String, table: String)? {
        func after(_ word: String) -> String {
            guard let index = words.firstIndex(of: word), index + 1 < words.count else { return "" }
            return bare(words[index + 1])
        }
        switch words.first {
        case "alter" where words.dropFirst().first == "table":
            let table = bare(
                words.dropFirst(2).first { !["if", "exists", "only"].contains($0) } ?? "")
            let isAttach = words.contains("attach")
            return (isAttach ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE", table)
        case "drop" where !Set(words).isDisjoint(with: ["table", "index", "view"]):
            return ("ACCESS EXCLUSIVE", bare(words.last ?? ""))
        case "lock": return ("ACCESS EXCLUSIVE", after("table"))
        case "truncate": return ("ACCESS EXCLUSIVE", bare(words.last ?? ""))
        case "create" where words.contains("trigger"):
            return ("SHARE ROW EXCLUSIVE", after("on"))
        case "create" where words.prefix(3).contains("index"):
            return words.contains("concurrently") ? nil : ("SHARE", after("on"))
        case "create" where words.contains("partition") && words.contains("of"):
            return ("ACCESS EXCLUSIVE", after("of"))
        case "update": return ("rows", bare(words.dropFirst().first ?? ""))
        case "delete": return ("rows", after("from"))
        case "do": return ("as its code says", "")
        default: return nil
        }
    }

    private static func bare(_ word: String) -> String {
        String(word.prefix { $0 != "(" && $0 != "," && $0 != ";" })
    }

    /// The statements, each as its words in lower case; quoted text and `$$` bodies stay whole.
    private static func split(_ sql: String) -> [[String]] {
        var statements: [[String]] = []
        var words: [String] = []
        var word = ""
        var closing: String?
        var rest = Substring(sql)
        func endWord() {
            if !word.isEmpty { words.append(word) }
            word = ""
        }
        while let character = rest.first {
            if let end = closing {
                if rest.hasPrefix(end) {
                    rest.removeFirst(end.count)
                    closing = nil
                } else {
                    rest.removeFirst()
                }
                continue
            }
            if rest.hasPrefix("--") {
                rest = rest.drop { $0 != "\n" }
            } else if character == "'" {
                rest.removeFirst()
                closing = "'"
                word += "'…'"
            } else if rest.hasPrefix("$$") {
                rest.removeFirst(2)
                closing = "$$"
                word += "$$…$$"
            } else {
                rest.removeFirst()
                switch character {
                case ";":
                    endWord()
                    if !words.isEmpty { statements.append(words) }
                    words = []
                case " ", "\n", "\t": endWord()
                default: word += character.lowercased()
                }
            }
        }
        endWord()
        if !words.isEmpty { statements.append(words) }
        return statements
    }
}
