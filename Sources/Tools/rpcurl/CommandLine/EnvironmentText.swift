import Glibc

/// `${NAME}` in texts.
enum EnvironmentText {
    /// The variables of this process.
    static var ofProcess: [String: String] {
        var result: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let split = text.firstIndex(of: "=") {
                result[String(text[..<split])] = String(text[text.index(after: split)...])
            }
            next += 1
        }
        return result
    }

    /// Replaces each `${NAME}` by the variable's value. The text is not shown in errors: it may
    /// hold secrets.
    /// - Throws: `Failure` that names a variable that is not set.
    static func expand(
        _ text: String, _ environment: [String: String]
    ) throws(Failure) -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            guard rest.hasPrefix("${"), let end = rest.firstIndex(of: "}") else {
                result += rest.prefix(1)
                rest = rest.dropFirst()
                continue
            }
            let name = rest[rest.index(dollar, offsetBy: 2)..<end]
            guard let value = environment[String(name)] else {
                throw .usage("the environment variable \(name) is not set")
            }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
