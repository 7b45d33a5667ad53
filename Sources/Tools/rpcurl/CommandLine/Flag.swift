import RPC

/// One flag of the command line: the parser, the help text and the completions read this table.
struct Flag: Sendable {
    /// Without dashes; the first is the one that is shown.
    let names: [String]
    /// What the value is called, nil for a switch.
    let value: String?
    let help: String
    let apply: @Sendable (inout Settings, String) throws(Failure) -> Void

    init(
        _ names: String..., value: String? = nil, help: String,
        apply: @escaping @Sendable (inout Settings, String) throws(Failure) -> Void
    ) {
        self.names = names
        self.value = value
        self.help = help
        self.apply = apply
    }

    /// A switch that sets a property.
    init(
        _ names: String..., help: String,
        set path: any WritableKeyPath<Settings, Bool> & Sendable
    ) {
        self.names = names
        value = nil
        self.help = help
        apply = { settings, _ in settings[keyPath: path] = true }
    }

    static let all: [Flag] = [
        Flag("d", "data", value: "JSON", help: "request message(s): JSON, @ or @file") {
            $0.data = $1
        },
        Flag("H", "header", value: "'NAME: VALUE'", help: "header of every RPC; -bin: base64") {
            settings, text throws(Failure) in
            let field = try HeaderField(text)
            field.add(to: &settings.callMetadata)
            field.add(to: &settings.reflectionMetadata)
        },
        Flag("rpc-header", value: "'NAME: VALUE'", help: "header of the call only") {
            settings, text throws(Failure) in
            try HeaderField(text).add(to: &settings.callMetadata)
        },
        Flag("reflect-header", value: "'NAME: VALUE'", help: "header of reflection only") {
            settings, text throws(Failure) in
            try HeaderField(text).add(to: &settings.reflectionMetadata)
        },
        Flag("protoset", value: "FILE", help: "descriptor set instead of reflection (repeatable)") {
            $0.descriptorSets.append($1)
        },
        Flag("max-time", value: "SECONDS", help: "deadline of all RPCs of the command") {
            settings, text throws(Failure) in
            settings.maxTime = try seconds(text, "max-time")
        },
        Flag("connect-timeout", value: "SECONDS", help: "time to connect (10)") {
            settings, text throws(Failure) in
            settings.connectTimeout = try seconds(text, "connect-timeout")
        },
        Flag(
            "max-msg-size", "max-msg-sz", value: "BYTES",
            help: "largest response message (4194304)"
        ) { settings, text throws(Failure) in
            guard let count = Int(text), count > 0, count <= 1 << 31 else {
                throw .usage("-max-msg-size takes a number of bytes, not \"\(text)\"")
            }
            settings.maxMessageBytes = count
        },
        Flag("authority", value: "NAME", help: "value of :authority") { $0.authority = $1 },
        Flag("user-agent", value: "TEXT", help: "value of user-agent") { $0.userAgent = $1 },
        Flag(
            "v", "verbose", help: "headers, trailers and timings on standard error", set: \.verbose),
        Flag("json", help: "one JSON object: status, headers, messages, trailers, …", set: \.json),
        Flag("compact", help: "each message on one line", set: \.compact),
        Flag("original-names", help: "user_id instead of userId", set: \.originalNames),
        Flag("emit-defaults", help: "print fields that hold their default", set: \.emitDefaults),
        Flag(
            "allow-unknown-fields", help: "ignore request fields that the schema lacks",
            set: \.allowUnknownFields),
        Flag(
            "template", "msg-template", help: "describe: a JSON request to fill in", set: \.template
        ),
        Flag("methods", help: "list: the methods of every service", set: \.methods),
        Flag("plaintext", help: "accepted for grpcurl's sake: plaintext is the default") { _, _ in
        },
        Flag("version", help: "print the version", set: \.version),
        Flag("help", "h", help: "print this text", set: \.help),
    ]

    static func named(_ name: String) -> Flag? { all.first { $0.names.contains(name) } }

    private static func seconds(_ text: String, _ flag: String) throws(Failure) -> Duration {
        guard let value = Double(text), value > 0, value < 1e9 else {
            throw .usage("-\(flag) takes seconds, such as 2.5, not \"\(text)\"")
        }
        return .microseconds(Int64(value * 1e6))
    }
}
