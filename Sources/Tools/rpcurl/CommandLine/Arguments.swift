/// Reads a command line: flags anywhere, then `[VERB] ADDRESS …` or `ADDRESS [VERB] …`.
enum Arguments {
    static let verbs = ["list", "describe", "call", "health", "completion", "help", "version"]

    /// - Throws: `Failure` with exit code 2.
    static func parse(_ arguments: [String]) throws(Failure) -> Invocation {
        var settings = Settings()
        let words = try readFlags(arguments, into: &settings)
        if settings.help { return Invocation(command: .help, settings: settings) }
        if settings.version { return Invocation(command: .version, settings: settings) }
        guard let first = words.first else {
            throw .usage("nothing to do: rpcurl ADDRESS list, or rpcurl --help")
        }
        if first == "help" { return Invocation(command: .help, settings: settings) }
        if first == "version" { return Invocation(command: .version, settings: settings) }
        if first == "completion" {
            guard words.count == 2 else { throw .usage("rpcurl completion bash, or zsh") }
            return Invocation(command: .completion(shell: words[1]), settings: settings)
        }
        var rest = words[...]
        var verb = verbs.contains(first) ? rest.removeFirst() : nil
        var address: Address?
        if let next = rest.first, settings.descriptorSets.isEmpty || Address.isLikely(next) {
            address = try Address(next)
            rest.removeFirst()
        }
        if verb == nil, let next = rest.first, verbs.contains(next) { verb = rest.removeFirst() }
        if let next = rest.first, verb == nil, !next.contains("/"), !next.contains(".") {
            throw .usage(
                "\"\(next)\" is neither a verb (list, describe, call, health) nor a method")
        }
        let command = try command(verb ?? "call", rest, settings)
        if address == nil, needsServer(command, settings) {
            throw .usage("no address: rpcurl ADDRESS \(verb ?? "list"), such as localhost:50051")
        }
        return Invocation(command: command, address: address, settings: settings)
    }

    private static func needsServer(_ command: Command, _ settings: Settings) -> Bool {
        switch command {
        case .list, .describe: settings.descriptorSets.isEmpty
        default: true
        }
    }

    private static func command(
        _ verb: String, _ words: ArraySlice<String>, _ settings: Settings
    ) throws(Failure) -> Command {
        let most = verb == "call" ? 2 : 1
        guard words.count <= most else {
            throw .usage("unexpected argument \"\(words[words.startIndex + most])\"")
        }
        guard settings.data == nil || verb == "call" else {
            throw .usage("-d belongs to a call, not to \(verb)")
        }
        switch verb {
        case "list": return .list(service: words.first)
        case "describe": return .describe(symbol: words.first)
        case "health": return .health(service: words.first ?? "")
        default: break
        }
        guard let method = words.first else {
            throw .usage("no method: rpcurl ADDRESS call SERVICE/METHOD [JSON]")
        }
        let argument = words.count == 2 ? words.last : nil
        guard argument == nil || settings.data == nil else {
            throw .usage("the request is given twice: once with -d, once as \"\(argument ?? "")\"")
        }
        let requests = (argument ?? settings.data).map(RequestSource.init(argument:))
        return .call(method: method, requests: requests ?? .none)
    }

    /// Applies the flags and returns what is left.
    private static func readFlags(
        _ arguments: [String], into settings: inout Settings
    ) throws(Failure) -> [String] {
        var words: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            if argument == "--" {
                words += arguments[index...]
                break
            }
            guard argument.hasPrefix("-"), argument.count > 1 else {
                words.append(argument)
                continue
            }
            let text = argument.drop { $0 == "-" }
            let name = String(text.prefix { $0 != "=" })
            guard let flag = Flag.named(name) else {
                throw .usage("unknown flag \(argument); rpcurl --help lists all")
            }
            var value = text.contains("=") ? String(text.dropFirst(name.count + 1)) : nil
            if flag.value == nil {
                guard value == nil else { throw .usage("-\(name) takes no value") }
            } else if value == nil {
                guard index < arguments.count else {
                    throw .usage("-\(name) needs a value: \(flag.value ?? "")")
                }
                value = arguments[index]
                index += 1
            }
            try flag.apply(&settings, value ?? "")
        }
        return words
    }
}
