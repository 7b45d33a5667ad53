import Loop
import RPC
import Testing

@testable import rpcurl

@Suite struct ArgumentsTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var line: String
        var command: Command
        var target: String?
        var testDescription: String { line }

        init(_ line: String, _ command: Command, _ target: String? = "h:1") {
            self.line = line
            self.command = command
            self.target = target
        }
    }

    static let accepted: [Row] = [
        Row("h:1 list", .list(service: nil)),
        Row("list h:1", .list(service: nil)),
        Row("h:1 list a.B", .list(service: "a.B")),
        Row("list h:1 a.B", .list(service: "a.B")),
        Row("describe h:1 a.B/C", .describe(symbol: "a.B/C")),
        Row("h:1 call a.B/C", .call(method: "a.B/C", requests: .none)),
        Row("call h:1 a.B/C {}", .call(method: "a.B/C", requests: .text("{}"))),
        Row("h:1 a.B/C", .call(method: "a.B/C", requests: .none)),
        Row("h:1 a.B.C", .call(method: "a.B.C", requests: .none)),
        Row("-d {} h:1 a.B/C", .call(method: "a.B/C", requests: .text("{}"))),
        Row("h:1 a.B/C -d @", .call(method: "a.B/C", requests: .standardInput)),
        Row("--data=@x.json h:1 a.B/C", .call(method: "a.B/C", requests: .file("x.json"))),
        Row("-plaintext=true -v=false h:1 a.B/C", .call(method: "a.B/C", requests: .none)),
        Row("-plaintext h:1 a.B/C", .call(method: "a.B/C", requests: .none)),
        Row("h:1 call a.B/C -- -1", .call(method: "a.B/C", requests: .text("-1"))),
        Row("h:1 health", .health(service: "")),
        Row("health http://h:1/ a.B", .health(service: "a.B")),
        Row("http://h list", .list(service: nil), "h:80"),
        Row("unix:///run/s list", .list(service: nil), "unix:/run/s"),
        Row("-unix /run/s list", .list(service: nil), "unix:/run/s"),
        Row("-unix -protoset f run.s list", .list(service: nil), "unix:run.s"),
        Row("[::1]:7 list", .list(service: nil), "[::1]:7"),
        Row("http://[::1] list", .list(service: nil), "[::1]:80"),
        Row("-protoset f list", .list(service: nil), nil),
        Row("-protoset f describe a.B", .describe(symbol: "a.B"), nil),
        Row("-protoset f h:1 describe a.B", .describe(symbol: "a.B")),
        Row("completion bash", .completion(shell: "bash"), nil),
        Row("--help", .help(verb: nil), nil),
        Row("h:1 list -h", .help(verb: "list"), nil),
        Row("help tap", .help(verb: "tap"), nil),
        Row("h:1 watch a.B/C {}", .watch(method: "a.B/C", requests: .text("{}"))),
        Row("bench h:1 a.B/C -rate 5", .bench(method: "a.B/C", requests: .none)),
        Row("replay f h:1", .replay(file: "f")),
        Row("top h:1", .top),
        Row("h:1 top -interval 0.5 -rows 5 -once", .top),
        Row("h:1 replay f", .replay(file: "f")),
        Row("-proto f describe a.B", .describe(symbol: "a.B"), nil),
    ]

    @Test("understands every order of words", arguments: accepted)
    func accepts(row: Row) throws {
        let invocation = try Arguments.parse(row.line.split(separator: " ").map(String.init))
        #expect(invocation.command == row.command)
        #expect(invocation.address?.target == row.target)
    }

    static let refused: [(line: String, sentence: String)] = [
        ("", "nothing to do"),
        ("list", "no address"),
        ("h:1", "no method"),
        ("h:1 lst", "neither a verb"),
        ("localhost list", "has no port"),
        ("h:0 list", "has no port"),
        ("h:70000 list", "has no port"),
        ("unix: list", "no path"),
        ("h:1/x list", "no address"),
        ("h:1 list a b", "unexpected argument \"b\""),
        ("h:1 list -d {}", "-d belongs to call"),
        ("h:1 a.B/C {} -d {}", "given twice"),
        ("-nope h:1 list", "unknown flag -nope"),
        ("h:1 list -d", "needs a value"),
        ("-v=1 h:1 list", "takes no value"),
        ("-max-time soon h:1 list", "takes seconds"),
        ("-max-time -1 h:1 list", "takes seconds"),
        ("-max-msg-size 0 h:1 list", "number of bytes"),
        ("-H x h:1 list", "is no header"),
        ("-H x-bin:=!= h:1 list", "must be base64"),
        ("-H grpc-timeout:1 h:1 list", "belongs to gRPC"),
        ("-H a:ü h:1 list", "no valid header"),
        ("-protoset f call a.B/C", "no address"),
        ("h:1 list -rate 5", "-rate belongs to bench, not to list"),
        ("h:1 call a.B/C -resume a=b", "-resume belongs to watch"),
        ("h:1 watch a.B/C -resume a", "REQUEST_FIELD=RESPONSE_FIELD"),
        ("h:1 watch a.B/C -resume a..b=c", "no path of a field"),
        ("h:1 bench a.B/C -rate 0", "calls per second"),
        ("h:1 bench a.B/C -c 0", "from 1 to 100000"),
        ("tap nowhere h:1", "cannot listen on"),
        ("tap :70000 h:1", "cannot listen on"),
        ("tap :9", "rpcurl tap LISTEN UPSTREAM"),
        ("record f", "too few arguments"),
        ("replay f h:1 g", "unexpected argument \"g\""),
        ("h:1 replay f -ignore a..b", "is no path"),
        ("h:1 call a.B/C -format xml", "json or text"),
        ("help me", "there is no verb me"),
    ]

    @Test("says what is wrong, exit code 2", arguments: refused)
    func refuses(row: (line: String, sentence: String)) throws {
        let failure = #expect(throws: Failure.self) {
            try Arguments.parse(row.line.split(separator: " ").map(String.init))
        }
        #expect(failure?.exitCode == 2)
        #expect(failure?.sentence.contains(row.sentence) == true, "\(failure?.sentence ?? "")")
    }

    @Test func settings() throws {
        let invocation = try Arguments.parse([
            "-H", "X-A: 1", "-H", "x-b-bin: AAE", "-rpc-header", "only: call", "-max-time", "0.25",
            "-max-msg-size", "9", "-compact", "-json", "h:1", "list",
        ])
        let settings = invocation.settings
        #expect(settings.callMetadata.first("x-a") == "1")
        #expect(settings.reflectionMetadata.firstBinary("x-b-bin") == [0, 1])
        #expect(settings.callMetadata.first("only") == "call")
        #expect(settings.reflectionMetadata.first("only") == nil)
        #expect(settings.maxTime == .milliseconds(250))
        #expect(settings.maxMessageBytes == 9)
        #expect(settings.compact && settings.json && !settings.verbose)
    }

    @Test("the help text names every flag") func help() {
        let texts = [Help.text] + Verb.all.map(Help.text)
        for flag in Flag.all {
            #expect(texts.contains { $0.contains("  -\(flag.names[0])") }, "\(flag.names)")
        }
        for line in texts.flatMap({ $0.split(separator: "\n") }) { #expect(line.count <= 100) }
        for name in Flag.all.flatMap(\.verbs) { #expect(Verb.named(name) != nil, "\(name)") }
    }

    @Test("where a tap listens") func listen() throws {
        #expect(
            try Arguments.parse(["tap", ":9", "h:1"]).command
                == .tap(listen: ListenAddress("127.0.0.1:9"), file: nil))
        #expect(
            try Arguments.parse(["record", "f", "[::1]:9", "h:1"]).command
                == .tap(listen: ListenAddress("[::1]:9"), file: "f"))
        #expect(try ListenAddress("unix:///run/x").address == .unix(path: "/run/x"))
        #expect(try ListenAddress("localhost:9") == ListenAddress("9"))
    }
}
