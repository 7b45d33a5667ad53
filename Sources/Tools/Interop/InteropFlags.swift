/// The flags of the interop programs: `--name=value` or `--name value`, as the other languages'
/// programs take them.
public struct InteropFlags: Sendable {
    /// A wrong command line; exit code 2.
    public struct Usage: Error, CustomStringConvertible {
        public let description: String

        public init(_ description: String) {
            self.description = description
        }
    }

    private var values: [String: String] = [:]
    public private(set) var wantsHelp = false

    /// - Parameter known: every flag's name.
    public init(_ arguments: [String], known: Set<String>) throws(Usage) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" {
                wantsHelp = true
                continue
            }
            guard argument.hasPrefix("--") else {
                throw Usage("\(argument) is no flag")
            }
            let text = argument.dropFirst(2)
            let name = String(text.prefix { $0 != "=" })
            guard known.contains(name) else { throw Usage("no flag --\(name)") }
            if text.count > name.count {
                values[name] = String(text.dropFirst(name.count + 1))
            } else if let value = rest.popFirst() {
                values[name] = value
            } else {
                throw Usage("--\(name) needs a value")
            }
        }
    }

    public func text(_ name: String) -> String? {
        values[name]
    }

    public func port(_ name: String) throws(Usage) -> UInt16 {
        guard let text = values[name] else { throw Usage("--\(name) is missing") }
        guard let port = UInt16(text) else { throw Usage("--\(name): \(text)?") }
        return port
    }

    public func bool(_ name: String) throws(Usage) -> Bool {
        switch values[name]?.lowercased() {
        case nil, "false", "0": false
        case "true", "1": true
        case .some(let text): throw Usage("--\(name): \(text) is not true or false")
        }
    }
}
