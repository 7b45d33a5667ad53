import Compression
import RPC

extension Flag {
    static let all = requests + schema + connection + output + watch + tap + bench + top + general

    private static let sending = ["call", "watch", "bench"]
    private static let printing = ["call", "watch", "tap", "record"]

    private static let requests: [Flag] = [
        Flag(
            "d", "data", value: "DATA", of: sending, help: "request message(s): JSON, @ or @file"
        ) { $0.data = $1 },
        Flag("H", "header", value: "'NAME: VALUE'", help: "header of every RPC; -bin: base64") {
            $0.headers.append(HeaderArgument(text: $1, layer: $0.layer))
        },
        Flag("rpc-header", value: "'NAME: VALUE'", help: "header of the call only") {
            $0.headers.append(
                HeaderArgument(text: $1, isForReflection: false, layer: $0.layer))
        },
        Flag("reflect-header", value: "'NAME: VALUE'", help: "header of reflection only") {
            $0.headers.append(HeaderArgument(text: $1, isForCalls: false, layer: $0.layer))
        },
        Flag(
            "expand-headers", help: "replace ${NAME} in headers by the variable",
            set: \.expandHeaders),
        Flag(
            "allow-unknown-fields", of: sending,
            help: "ignore request fields that the schema lacks", set: \.allowUnknownFields),
    ]

    private static let schema: [Flag] = [
        Flag("protoset", value: "FILE", help: "descriptor set instead of reflection (repeatable)") {
            $0.descriptorSets.add($1, layer: $0.layer)
        },
        Flag("proto", value: "FILE", help: ".proto file instead of reflection (needs protoc)") {
            $0.protoFiles.add($1, layer: $0.layer)
        },
        Flag("import-path", value: "DIR", help: "where -proto and its imports are looked for") {
            $0.importPaths.add($1, layer: $0.layer)
        },
        Flag(
            "use-reflection", help: "ask the server for what -protoset and -proto lack",
            set: \.useReflection),
        Flag(
            "protoset-out", value: "FILE", of: ["list", "describe", "call"],
            help: "write the schema that was used as a descriptor set"
        ) { $0.descriptorSetOutput = $1 },
        Flag(
            "proto-out-dir", value: "DIR", of: ["list", "describe", "call"],
            help: "write the schema that was used as .proto files"
        ) { $0.protoOutputFolder = $1 },
        Flag(
            "template", "msg-template", of: ["describe"], help: "a JSON request to fill in",
            set: \.template),
        Flag("methods", of: ["list"], help: "the methods of every service", set: \.methods),
    ]

    private static let connection: [Flag] = [
        Flag(seconds: "max-time", help: "deadline of all RPCs of the command", set: \.maxTime) {
            $0
        },
        Flag(seconds: "connect-timeout", help: "time to connect (10)", set: \.connectTimeout) {
            $0
        },
        Flag(
            seconds: "keepalive-time", help: "ping a connection that is silent that long",
            set: \.keepaliveTime
        ) { $0 },
        Flag(
            "max-msg-size", "max-msg-sz", value: "BYTES",
            help: "largest response message (4194304; tap: 64 MiB)"
        ) { settings, text throws(Failure) in
            guard let count = Int(text), count > 0, count <= 1 << 31 else {
                throw .usage("-max-msg-size takes a number of bytes, not \"\(text)\"")
            }
            settings.maxMessageBytes = count
        },
        Flag(
            "compression", value: "gzip|deflate", of: ["call", "watch", "bench"],
            help: "compress requests (answers may be anyway)"
        ) { settings, text throws(Failure) in
            guard let algorithm = CompressionAlgorithm(name: text.utf8) else {
                throw .usage("-compression takes gzip or deflate, not \"\(text)\"")
            }
            settings.compression = algorithm
        },
        Flag("authority", value: "NAME", help: "value of :authority") { $0.authority = $1 },
        Flag("user-agent", value: "TEXT", help: "value of user-agent") { $0.userAgent = $1 },
        Flag(
            "tls", help: "speak TLS, as to an https:// address or with a flag below",
            set: \.tls.isWanted),
        Flag("cacert", value: "FILE", help: "authorities to trust, PEM (else the system's)") {
            $0.tls.authorities = $1
        },
        Flag("cert", value: "FILE", help: "our certificate with its chain, PEM (mTLS)") {
            $0.tls.certificate = $1
        },
        Flag("key", value: "FILE", help: "the key of -cert, PEM") { $0.tls.key = $1 },
        Flag("insecure", help: "speak TLS with whoever answers", set: \.tls.isInsecure),
        Flag("servername", value: "NAME", help: "name to ask for and to check by TLS") {
            $0.tls.serverName = $1
        },
        Flag("unix", help: "ADDRESS is the path of a UNIX socket", set: \.isUnix),
        Flag(
            "plaintext", help: "no TLS; the default for addresses without https://",
            set: \.tls.isRefused),
    ]

    private static let output: [Flag] = [
        Flag(
            "v", "verbose", help: "headers, trailers and timings on standard error",
            set: \.verbose),
        Flag("vv", help: "as -v, with a line for each step and its time") { settings, text in
            settings.verbose = text != "false"
            settings.veryVerbose = settings.verbose
        },
        Flag("json", help: "the whole result as one JSON object (tap: one a line)", set: \.json),
        Flag("compact", help: "each message on one line", set: \.compact),
        Flag(
            "format", value: "json|text", of: printing,
            help: "text: protobuf's text format, messages apart by 0x1E"
        ) { settings, text throws(Failure) in
            switch text {
            case "json": settings.format = .json
            case "text": settings.format = .text
            default: throw .usage("-format takes json or text, not \"\(text)\"")
            }
        },
        Flag(
            "format-error", of: ["call", "watch"],
            help: "print a status other than OK as google.rpc.Status", set: \.formatError),
        Flag("original-names", help: "user_id instead of userId", set: \.originalNames),
        Flag("emit-defaults", help: "print fields that hold their default", set: \.emitDefaults),
    ]

    private static let watch: [Flag] = [
        Flag(
            "resume", value: "FIELD=PATH", of: ["watch"],
            help: "copy a field of the last message into the next request"
        ) { settings, text throws(Failure) in
            settings.watch.resume.append(try ResumeRule(text))
        },
        Flag(
            seconds: "backoff", of: ["watch"], help: "pause before the first reconnect (1)",
            set: \.watch.backoff
        ) { $0 },
        Flag(
            seconds: "max-backoff", of: ["watch"], help: "longest pause between reconnects (30)",
            set: \.watch.maxBackoff
        ) { $0 },
        Flag(
            count: "retries", in: 0...1_000_000, of: ["watch"],
            help: "reconnects without a message before giving up (no limit)", set: \.watch.retries
        ) { $0 },
        Flag(
            "until-end", of: ["watch"], help: "stop when the server ends the stream with OK",
            set: \.watch.untilEnd),
    ]

    private static let tap: [Flag] = [
        Flag(
            "record", value: "FILE", of: ["call", "watch", "tap"],
            help: "write the call(s) to a file; see record --help"
        ) { $0.recordFile = $1 },
        Flag(
            "keep-secrets", of: ["call", "watch", "tap", "record"],
            help: "keep credentials, and a tap's personal fields: no ***",
            set: \.keepSecrets),
        Flag(
            "ignore", value: "PATH", of: ["replay"],
            help: "leave a field out of the comparison (repeatable)"
        ) { settings, text throws(Failure) in
            settings.replay.ignored.append(try PathPattern(text))
        },
        Flag(
            "metadata", of: ["replay"], help: "compare headers and trailers too",
            set: \.replay.comparesMetadata),
        Flag(
            seconds: "duration", of: ["tap", "record", "watch", "bench", "top"],
            help: "stop after that time (bench: 10)", set: \.duration
        ) { $0 },
    ]

    private static let bench: [Flag] = [
        Flag("rate", value: "PER_SECOND", of: ["bench"], help: "open loop: calls per second") {
            settings, text throws(Failure) in
            guard let rate = Double(text), rate > 0, rate <= 1e6 else {
                throw .usage("-rate takes calls per second, such as 500, not \"\(text)\"")
            }
            settings.bench.rate = rate
        },
        Flag(
            count: "concurrency", "c", in: 1...100_000, of: ["bench"],
            help: "closed loop: calls at the same time (50)", set: \.bench.concurrency
        ) { $0 },
        Flag(
            count: "connections", in: 1...10_000, of: ["bench"],
            help: "connections the calls are spread over (1)", set: \.bench.connections
        ) { $0 },
        Flag(
            count: "n", in: 1...1_000_000_000, of: ["bench"],
            help: "stop after that many counted calls", set: \.bench.count
        ) { $0 },
        Flag(
            seconds: "warmup", orNone: true, of: ["bench"],
            help: "calls that are not counted, at first (1)",
            set: \.bench.warmup
        ) { $0 },
        Flag(
            count: "max-outstanding", in: 1...1_000_000, of: ["bench"],
            help: "open loop: calls at the same time (1000)", set: \.bench.maxOutstanding
        ) { $0 },
    ]

    private static let top: [Flag] = [
        Flag(
            seconds: "interval", of: ["top"], help: "between two looks (2)", set: \.top.interval
        ) { $0 },
        Flag("once", of: ["top"], help: "one look, without rates", set: \.top.once),
        Flag(
            count: "rows", in: 1...100_000, of: ["top"], help: "lines of each table (20)",
            set: \.top.rows
        ) { $0 },
    ]

    private static let general: [Flag] = [
        Flag("config", value: "FILE", help: "profiles (~/.config/rpcurl/config)") {
            $0.config = $1
        },
        Flag("profile", value: "NAME", help: "flags and address of a profile of that file") {
            $0.profile = $1
        },
        Flag("version", help: "print the version", set: \.version),
        Flag("help", "h", help: "print this text, or that of a verb", set: \.help),
    ]
}
