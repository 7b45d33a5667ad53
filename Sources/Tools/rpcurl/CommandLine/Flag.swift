import RPC

/// One flag of the command line.
struct Flag: Sendable {
    /// Without dashes; the first is the one that is shown.
    let names: [String]
    /// What the value is called, nil for a switch.
    let value: String?
    /// The verbs that know it; empty for all.
    let verbs: [String]
    let help: String
    let apply: @Sendable (inout Settings, String) throws(Failure) -> Void

    init(
        _ names: String..., value: String? = nil, of verbs: [String] = [], help: String,
        apply: @escaping @Sendable (inout Settings, String) throws(Failure) -> Void
    ) {
        self.names = names
        self.value = value
        self.verbs = verbs
        self.help = help
        self.apply = apply
    }

    /// A switch that sets a property.
    init(
        _ names: String..., of verbs: [String] = [], help: String,
        set path: any WritableKeyPath<Settings, Bool> & Sendable
    ) {
        self.names = names
        value = nil
        self.verbs = verbs
        self.help = help
        apply = { settings, text in settings[keyPath: path] = text != "false" }
    }

    /// A number of seconds, set to a property.
    /// - Parameter orNone: 0 is allowed too.
    init<Value: Sendable>(
        seconds name: String, orNone: Bool = false, of verbs: [String] = [], help: String,
        set path: any WritableKeyPath<Settings, Value> & Sendable,
        _ make: @escaping @Sendable (Duration) -> Value
    ) {
        names = [name]
        value = "SECONDS"
        self.verbs = verbs
        self.help = help
        apply = { settings, text throws(Failure) in
            guard let seconds = Double(text), seconds > 0 || orNone && seconds == 0, seconds < 1e9
            else {
                throw .usage("-\(name) takes seconds, such as 2.5, not \"\(text)\"")
            }
            settings[keyPath: path] = make(.microseconds(Int64(seconds * 1e6)))
        }
    }

    /// A whole number in a range, set to a property.
    init<Value: Sendable>(
        count names: String..., in range: ClosedRange<Int>, of verbs: [String] = [], help: String,
        set path: any WritableKeyPath<Settings, Value> & Sendable,
        _ make: @escaping @Sendable (Int) -> Value
    ) {
        self.names = names
        value = "N"
        self.verbs = verbs
        self.help = help
        let name = names.first ?? ""
        apply = { settings, text throws(Failure) in
            guard let number = Int(text), range.contains(number) else {
                throw .usage(
                    "-\(name) takes a number from \(range.lowerBound) to \(range.upperBound), "
                        + "not \"\(text)\"")
            }
            settings[keyPath: path] = make(number)
        }
    }

    static func named(_ name: String) -> Flag? { all.first { $0.names.contains(name) } }

    func belongs(to verb: String) -> Bool { verbs.isEmpty || verbs.contains(verb) }
}
