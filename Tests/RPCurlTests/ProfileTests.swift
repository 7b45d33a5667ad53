import RPC
import Testing

@testable import rpcurl

@Suite struct ProfileTests {
    static let text = """
        # for every command
        connect-timeout = 5
        H = x-tenant: school

        [local]
        address = localhost:50051
        header = authorization: Bearer ${TOKEN}
        rpc-header=x-only: call
        compact
        rate = 7

        [other]
        address = ${NOT_SET}
        """

    private func parse(
        _ name: String?, _ line: String, _ environment: [String: String] = ["TOKEN": "t=1"]
    ) throws -> Invocation {
        let profile = try Profile(
            parsing: Self.text, name: name, path: "f", environment: environment)
        return try Arguments.parse(
            line.split(separator: " ").map(String.init), profile: profile,
            environment: environment)
    }

    @Test("flags win over the profile, the profile over the defaults") func layers() throws {
        var invocation = try parse("local", "list")
        #expect(invocation.address?.target == "localhost:50051")
        #expect(invocation.command == .list(service: nil))
        #expect(invocation.settings.callMetadata.first("authorization") == "Bearer t=1")
        #expect(invocation.settings.callMetadata.first("x-tenant") == "school")
        #expect(invocation.settings.reflectionMetadata.first("x-only") == nil)
        #expect(invocation.settings.connectTimeout == .seconds(5))
        #expect(invocation.settings.compact)
        invocation = try parse(
            "local", "-H x-tenant:other -connect-timeout 1 h:2 call a.B/C -H authorization:me")
        #expect(invocation.address?.target == "h:2")
        #expect(invocation.settings.callMetadata.all("x-tenant") == ["other"])
        #expect(invocation.settings.callMetadata.all("authorization") == ["me"])
        #expect(invocation.settings.connectTimeout == .seconds(1))
        #expect(try parse(nil, "h:3 list").settings.callMetadata.all("x-tenant") == ["school"])
    }

    @Test("a switch may be true or false, and a profile may turn one off") func switches() throws {
        let text = "compact = true\nemit-defaults\n[a]\ncompact = false\n[b]\nemit-defaults=false"
        for (name, compact, defaults) in [
            (nil, true, true), ("a", false, true), ("b", true, false),
        ]
            as [(String?, Bool, Bool)]
        {
            let profile = try Profile(parsing: text, name: name, path: "f", environment: [:])
            let settings = try Arguments.parse(["h:1", "list"], profile: profile, environment: [:])
                .settings
            #expect(settings.compact == compact)
            #expect(settings.emitDefaults == defaults)
        }
        #expect(Help.text.contains("[staging]"))
    }

    @Test("of a method the profile's address is not taken for the method") func methods() throws {
        #expect(
            try parse("local", "a.B/C {}").command
                == .call(method: "a.B/C", requests: .text("{}")))
        let tap = try parse("local", "tap :9")
        #expect(tap.address?.target == "localhost:50051")
    }

    static let refused: [(text: String, sentence: String)] = [
        ("nope = 1", "f:1: nope is no flag"),
        ("\n[x", "f:2: expected [name]"),
        ("[a]\n[a]", "f:2: there is a profile a already"),
        ("rate", "f:1: expected rate = PER_SECOND"),
        ("compact = 1", "f:1: compact stands alone, or is true or false"),
        ("address =", "f:1: address = host:port"),
        ("H = a: ${NOT_SET}", "f:1: the environment variable NOT_SET is not set"),
        ("[loco]", "f has no profile local; did you mean loco?"),
        ("config = x", "is no flag that a profile may set"),
    ]

    @Test("mistakes are told with their line, before anything is called", arguments: refused)
    func mistakes(row: (text: String, sentence: String)) {
        let failure = #expect(throws: Failure.self) {
            try Profile(parsing: row.text, name: "local", path: "f", environment: [:])
        }
        #expect(failure?.sentence.contains(row.sentence) == true, "\(failure?.sentence ?? "")")
        #expect(failure?.exitCode == 2)
    }

    @Test("${NAME} in headers only with -expand-headers, and never twice") func expansion() throws {
        let environment = ["A": "1${A}", "TOKEN": "t"]
        #expect(try EnvironmentText.expand("x${A}$y${", environment) == "x1${A}$y${")
        var settings = try parse("local", "h:1 list -H a:${A}", environment).settings
        #expect(settings.callMetadata.first("a") == "${A}")
        settings = try parse("local", "h:1 list -expand-headers -H a:${A}", environment).settings
        #expect(settings.callMetadata.first("a") == "1${A}")
        #expect(throws: Failure.self) { try parse(nil, "h:1 list -expand-headers -H a:${NO}") }
    }

    @Test("the file is found, by flag or in the home folder") func file() async throws {
        try await Fixture.with { server in
            let text = "[local]\naddress = \(server.address)\ncompact\n"
            try await Fixture.withFile(Array(text.utf8)) { path in
                var result = try await Fixture.run(["-config", path, "-profile", "local", "list"])
                #expect(result.output == "bench.Bench\n", "\(result.notes)")
                result = try await Fixture.run(
                    ["-config", path, "list"], environment: ["RPCURL_PROFILE": "local"])
                #expect(result.output == "bench.Bench\n")
                result = try await Fixture.run(["-config", path, "-profile", "loca", "list"])
                #expect(result.code == 2 && result.notes.contains("did you mean local?"))
            }
            let absent = try await Fixture.run(
                [server.address, "list"], environment: ["HOME": "/no/such"])
            #expect(absent.code == 0)
            let named = try await Fixture.run(
                ["-config", "/no/such/file", server.address, "list"])
            #expect(named.code == 2 && named.notes.contains("cannot read /no/such/file"))
        }
    }
}
