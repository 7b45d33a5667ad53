import Protobuf
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct CallTests {
    @Test(
        "lists services and methods, by both reflection versions",
        arguments: [Fixture.Schema.reflection, .alphaReflection])
    func lists(schema: Fixture.Schema) async throws {
        try await Fixture.with(schema) { server in
            var result = try await server.run("ADDRESS", "list")
            #expect(result.output == "bench.Bench\n")
            #expect(result.code == 0)
            result = try await server.run("list", "ADDRESS", "bench.Bench")
            #expect(result.output.hasPrefix("bench.Bench/Echo\nbench.Bench/Stream\n"))
            result = try await server.run("ADDRESS", "describe", "bench.Bench/Echo")
            #expect(result.output.hasSuffix("rpc Echo(Msg) returns (Msg);\n"))
            result = try await server.run(
                "-template", "-compact", "ADDRESS", "describe", "bench.Msg")
            #expect(result.output == #"{"data":"","n":0}"# + "\n")
        }
    }

    @Test("a field is described alone, an enum value by its enum") func members() async throws {
        try await Fixture.with { server in
            var result = try await server.run("ADDRESS", "describe", "bench.Booking.labels")
            #expect(
                result.output == """
                    // bench.Booking.labels, declared in bench/bench.proto
                    map<string, string> labels = 8;

                    """)
            result = try await server.run("ADDRESS", "describe", "bench.HELD")
            #expect(result.output.contains("enum Status {\n  UNKNOWN = 0;\n  HELD = 1;"))
            result = try await server.run("ADDRESS", "describe", "bench.Booking.nothing")
            #expect(result.code == 1)
        }
    }

    @Test("-json without a connection: a status as of any call, and the sentence") func noServer()
        async throws
    {
        let result = try await Fixture.run(
            ["-json", "-compact", "127.0.0.1:1", "call", "bench.Bench/Echo"])
        #expect(result.code == 1)
        let json = try JSONValue.parse(Array(result.output.utf8))
        #expect(json["error"]?.string?.contains("nothing listens") == true)
        #expect(json["status"]?["code"] == 14)
        #expect(json["status"]?["name"] == "UNAVAILABLE")
        #expect(json["status"]?["cause"]?.string?.contains("ECONNREFUSED") == true)
    }

    @Test func unary() async throws {
        try await Fixture.with { server in
            let result = try await server.run(
                "ADDRESS", "call", "bench.Bench/Book", #"{"customer_id":"c","lines":[{"qty":2}]}"#)
            #expect(
                result.output == """
                    {
                      "customerId": "c",
                      "lines": [
                        {
                          "qty": 2
                        }
                      ]
                    }

                    """)
            #expect(result.notes.isEmpty)
            #expect(result.code == 0)
            let defaults = try await server.run(
                "-emit-defaults", "-compact", "-original-names", "ADDRESS", "bench.Bench.Echo")
            #expect(defaults.output == #"{"data":"","n":0}"# + "\n")
        }
    }

    @Test func streams() async throws {
        try await Fixture.with { server in
            var result = try await server.run(
                "-compact", "ADDRESS", "bench.Bench/Stream", "-d", #"{"n":3}"#)
            #expect(result.output == #"{"n":1}{"n":2}{"n":3}"#.replacing("}", with: "}\n"))
            result = try await server.run(
                "-compact", "ADDRESS", "call", "bench.Bench/PingPong", "@",
                input: #"{"n":7} {"n":8}"# + "\n" + #"{"data":"AQ=="}"#)
            #expect(result.output == "{\"n\":7}\n{\"n\":8}\n{\"data\":\"AQ==\"}\n")
            #expect(result.code == 0)
            result = try await server.run("ADDRESS", "call", "bench.Bench/PingPong")
            #expect(result.output.isEmpty && result.code == 0)
        }
    }

    @Test("the server ends a stream while the input is still open") func earlyEnd() async throws {
        try await Fixture.with { server in
            let result = try await server.run(
                "-compact", "ADDRESS", "call", "bench.Bench/PingPong", "@",
                input: #"{"n":1}{"n":-1}{"n":2}"#, keepsInputOpen: true)
            #expect(result.output == "{\"n\":1}\n")
            #expect(result.notes == "rpcurl: ABORTED (10): enough\n")
            #expect(result.code == 74)
        }
    }

    @Test("a status: name, message, decoded details, exit code 64 + code") func status()
        async throws
    {
        try await Fixture.with { server in
            let result = try await server.run(
                "-compact", "ADDRESS", "call", "bench.Bench/Echo", #"{"n":9}"#)
            #expect(result.code == 73)
            #expect(result.output.isEmpty)
            #expect(
                result.notes == """
                    rpcurl: FAILED_PRECONDITION (9): as asked
                    {"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"n"}]}
                    {"@type":"type.googleapis.com/bench.Msg","n":9}
                    {"@type":"type.googleapis.com/no.Such","@value":"AQ=="}

                    """)
        }
    }

    @Test("-json: one object with everything") func json() async throws {
        try await Fixture.with { server in
            let result = try await server.run(
                "-json", "-H", "x-in: a", "ADDRESS", "call", "bench.Bench/Echo", #"{"data":"AQ=="}"#
            )
            let object = try JSONValue.parse(Array(result.output.utf8))
            #expect(object["status"]?["name"]?.string == "OK")
            #expect(object["headers"]?["x-seen"] == ["a"])
            #expect(object["trailers"]?["x-trail-bin"] == ["AP8"])
            #expect(object["messages"] == [["data": "AQ=="]])
            #expect(object["timings"]?["end_ms"]?.double ?? 0 > 0)
            let failed = try await server.run(
                "-json", "ADDRESS", "call", "bench.Bench/Echo", #"{"n":5}"#)
            let status = try JSONValue.parse(Array(failed.output.utf8))["status"]
            #expect(status?["code"] == 5)
            #expect(status?["details"]?.array?.count == 3)
            #expect(failed.code == 69 && failed.notes.isEmpty)
        }
    }

    @Test("-v: headers, trailers and timings on standard error") func verbose() async throws {
        try await Fixture.with { server in
            let result = try await server.run("-v", "ADDRESS", "call", "bench.Bench/Echo")
            #expect(result.output == "{}\n")
            for part in [
                "> /bench.Bench/Echo", "<   x-seen: none", "x-trail-bin: AP8", "status: OK",
            ] {
                #expect(result.notes.contains(part), "\(result.notes)")
            }
        }
    }

    static let mistakes: [(arguments: [String], code: Int32, note: String)] = [
        (["call", "bench.Bench/Ecko"], 1, "did you mean Echo?"),
        (["call", "bench.Bnch/Echo"], 1, "did you mean bench.Bench?"),
        (["describe", "bench.Nothing"], 1, "there is no symbol bench.Nothing"),
        (["call", "bench.Bench/Echo", #"{"n":"x"}"#], 1, "n: "),
        (["call", "bench.Bench/Echo", #"{"m":1}"#], 1, "no such field (at byte 1)"),
        (["call", "bench.Bench/Echo", "{}{}"], 1, "takes one request message"),
        (["call", "bench.Bench/Echo", "{"], 1, "ends early"),
        (["call", "bench.Bench/PingPong", "{} {\"q\":1}"], 1, "request message 2"),
        (["call", "bench.Bench/Echo", "@/no/such/file"], 1, "cannot read /no/such/file"),
        (
            ["call", "bench.Bench/Stream", "{\"n\":-1}", "-max-time", "0.2"], 68,
            "DEADLINE_EXCEEDED"
        ),
        (["-max-msg-size", "1", "call", "bench.Bench/Stream", "{\"n\":1}"], 72, "-max-msg-size"),
        (["health", "no.Such"], 69, "NOT_FOUND (5): "),
    ]

    @Test("mistakes end with a sentence", arguments: mistakes)
    func mistake(row: (arguments: [String], code: Int32, note: String)) async throws {
        try await Fixture.with { server in
            let result = try await Fixture.run([server.address] + row.arguments)
            #expect(result.code == row.code)
            #expect(result.notes.contains(row.note), "\(result.notes)")
        }
    }

    @Test func health() async throws {
        try await Fixture.with(.none) { server in
            var result = try await server.run("ADDRESS", "health")
            #expect(result.output == "SERVING\n" && result.code == 0)
            result = try await server.run("ADDRESS", "health", "bench.Bench")
            #expect(result.output == "NOT_SERVING\n" && result.code == 1)
            result = try await server.run("ADDRESS", "list")
            #expect(result.notes.contains("no reflection") && result.code == 1)
        }
    }

    @Test("nobody there") func unreachable() async throws {
        var result = try await Fixture.run(["127.0.0.1:1", "list"])
        #expect(result.notes.contains("nothing listens at 127.0.0.1:1") && result.code == 1)
        result = try await Fixture.run(["unix:/no/such.sock", "list"])
        #expect(result.notes.contains("there is no socket") && result.code == 1)
        result = try await Fixture.run(["-json", "127.0.0.1:1", "list"])
        #expect(try JSONValue.parse(Array(result.output.utf8))["error"]?.string != nil)
    }
}
