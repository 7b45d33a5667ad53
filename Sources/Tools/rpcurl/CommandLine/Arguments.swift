/// Reads a command line: flags anywhere, then `VERB ADDRESS …` or `ADDRESS [VERB] …`.
enum Arguments {
    /// Flags with their values, and the other words, in their order.
    struct Words: Sendable {
        var flags: [(flag: Flag, value: String)] = []
        var words: [String] = []

        /// The last value of a flag.
        func value(of name: String) -> String? { flags.last { $0.flag.names[0] == name }?.value }
    }

    private static let plainVerbs = ["completion", "help", "version"]

    /// - Throws: `Failure` with exit code 2.
    static func parse(
        _ arguments: [String], profile: Profile = Profile(), environment: [String: String] = [:]
    ) throws(Failure) -> Invocation {
        try parse(read(arguments), profile: profile, environment: environment)
    }

    /// - Throws: `Failure` with exit code 2.
    static func parse(
        _ line: Words, profile: Profile, environment: [String: String]
    ) throws(Failure) -> Invocation {
        var settings = Settings()
        for (layer, flags) in [profile.defaults, profile.flags, line.flags].enumerated() {
            settings.layer = layer
            for (flag, value) in flags { try flag.apply(&settings, value) }
        }
        try HeaderField.apply(to: &settings, environment: environment)
        let words = line.words
        if let plain = try plainCommand(words, settings) {
            return Invocation(command: plain, settings: settings)
        }
        var rest = words[...]
        var verb = rest.first.flatMap(Verb.named)
        if verb != nil { rest.removeFirst() }
        var before: [String] = []
        if let verb, verb.wordsBeforeAddress > 0 {
            before = Array(rest.prefix(verb.wordsBeforeAddress))
            rest = rest.dropFirst(verb.wordsBeforeAddress)
        }
        let isOptional = settings.hasSchemaFiles || profile.address != nil
        var address: Address?
        if let next = rest.first, !isOptional || settings.isUnix || Address.isLikely(next) {
            address = try Address(next, isPath: settings.isUnix)
            rest.removeFirst()
        } else if let text = profile.address {
            address = try Address(text, isPath: settings.isUnix)
        }
        if verb == nil, let next = rest.first, let found = Verb.named(next) {
            verb = found
            rest.removeFirst()
            before = Array(rest.prefix(found.wordsBeforeAddress))
            rest = rest.dropFirst(found.wordsBeforeAddress)
        }
        if let next = rest.first, verb == nil, !next.contains("/"), !next.contains(".") {
            let verbs = Verb.all.map(\.name).joined(separator: ", ")
            throw .usage("\"\(next)\" is neither a verb (\(verbs)) nor a method")
        }
        let name = verb?.name ?? "call"
        for (flag, _) in line.flags where !flag.belongs(to: name) {
            let verbs = flag.verbs.joined(separator: ", ")
            throw .usage("-\(flag.names[0]) belongs to \(verbs), not to \(name)")
        }
        let command = try command(name, before, rest, settings)
        if address == nil, needsServer(command, settings) {
            let synopsis = (Verb.named(verb?.name ?? "list") ?? Verb.all[0]).synopsis
            throw .usage("no address: rpcurl \(synopsis), such as localhost:50051")
        }
        return Invocation(command: command, address: address, settings: settings)
    }

    private static func plainCommand(
        _ words: [String], _ settings: Settings
    ) throws(Failure) -> Command? {
        if settings.version { return .version }
        if settings.help {
            let names = words.filter { Verb.named($0) != nil }
            return .help(verb: names.first)
        }
        guard let first = words.first else {
            throw .usage("nothing to do: rpcurl ADDRESS list, or rpcurl --help")
        }
        guard plainVerbs.contains(first) else { return nil }
        let argument = words.count > 1 ? words[1] : nil
        guard words.count <= 2 else { throw .usage("unexpected argument \"\(words[2])\"") }
        switch first {
        case "version": return .version
        case "completion":
            guard let argument else { throw .usage("rpcurl completion bash, or zsh") }
            return .completion(shell: argument)
        default:
            if let argument, Verb.named(argument) == nil {
                throw .usage("there is no verb \(argument); rpcurl --help lists all")
            }
            return .help(verb: argument)
        }
    }

    private static func needsServer(_ command: Command, _ settings: Settings) -> Bool {
        switch command {
        case .list, .describe: !settings.hasSchemaFiles
        default: true
        }
    }

    private static func command(
        _ name: String, _ before: [String], _ words: ArraySlice<String>, _ settings: Settings
    ) throws(Failure) -> Command {
        guard let verb = Verb.named(name) else { throw .usage("there is no verb \(name)") }
        guard before.count == verb.wordsBeforeAddress else {
            throw .usage("too few arguments: rpcurl \(verb.synopsis)")
        }
        guard words.count <= verb.wordsAfterAddress else {
            let extra = words[words.startIndex + verb.wordsAfterAddress]
            throw .usage("unexpected argument \"\(extra)\": rpcurl \(verb.synopsis)")
        }
        switch name {
        case "list": return .list(service: words.first)
        case "describe": return .describe(symbol: words.first)
        case "health": return .health(service: words.first ?? "")
        case "tap": return .tap(listen: try ListenAddress(before[0]), file: settings.recordFile)
        case "record": return .tap(listen: try ListenAddress(before[1]), file: before[0])
        case "replay": return .replay(file: before[0])
        case "doctor": return .doctor(method: words.first)
        case "top": return .top
        default: break
        }
        guard let method = words.first else {
            throw .usage("no method: rpcurl \(verb.synopsis)")
        }
        let argument = words.count == 2 ? words.last : nil
        guard argument == nil || settings.data == nil else {
            throw .usage("the request is given twice: once with -d, once as \"\(argument ?? "")\"")
        }
        let requests = (argument ?? settings.data).map(RequestSource.init(argument:)) ?? .none
        switch name {
        case "watch": return .watch(method: method, requests: requests)
        case "bench": return .bench(method: method, requests: requests)
        default: return .call(method: method, requests: requests)
        }
    }

    /// Tells flags, their values and other words apart.
    static func read(_ arguments: [String]) throws(Failure) -> Words {
        var result = Words()
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            if argument == "--" {
                result.words += arguments[index...]
                break
            }
            guard argument.hasPrefix("-"), argument.count > 1 else {
                result.words.append(argument)
                continue
            }
            let text = argument.drop { $0 == "-" }
            let name = String(text.prefix { $0 != "=" })
            guard let flag = Flag.named(name) else {
                throw .usage("unknown flag \(argument); rpcurl --help lists all")
            }
            var value = text.contains("=") ? String(text.dropFirst(name.count + 1)) : nil
            if flag.value == nil {
                // As Go's flags: -plaintext=true.
                guard value == nil || value == "true" || value == "false" else {
                    throw .usage("-\(name) takes no value")
                }
            } else if value == nil {
                guard index < arguments.count else {
                    throw .usage("-\(name) needs a value: \(flag.value ?? "")")
                }
                value = arguments[index]
                index += 1
            }
            result.flags.append((flag, value ?? ""))
        }
        return result
    }
}
