import BenchSchema
import Environment
import Glibc
import Protobuf
import RPC
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct RecordingTests {
    private static let events: [CallEvent] = {
        var metadata = Metadata()
        metadata.add("v", for: "x-a")
        metadata.add(binary: [0, 255], for: "x-b-bin")
        let error = RPCError(
            .notFound, "ünknown", details: [.init(typeURL: "t/x.Y", value: [1, 2])])
        let kinds: [CallEvent.Kind] = [
            .begin(
                method: "/a.B/C", metadata: metadata, timeout: .milliseconds(1500), peer: "p:1"),
            .request([1, 2, 3]), .halfClose, .headers(metadata), .response([]),
            .end(error, trailers: metadata, byClient: true),
            .end(nil, trailers: Metadata(), byClient: false),
        ]
        return kinds.map { CallEvent(call: 3, time: .microseconds(1250), kind: $0) }
    }()

    @Test("what is written is read again") func roundTrip() throws {
        for event in Self.events {
            let json = event.json(decoded: ["n": 1], keepsSecrets: true)
            let again = try CallEvent(try JSONValue.parse(json.encoded()))
            #expect(again.json(decoded: ["n": 1], keepsSecrets: true) == json)
            #expect(again.time == event.time && again.call == 3)
        }
    }

    @Test("bytes are base64 as `base64 -d` takes it") func padding() {
        let rows: [([UInt8], String)] = [
            ([1], "AQ=="), ([1, 2], "AQI="), ([1, 2, 3], "AQID"), ([], ""),
        ]
        for (bytes, text) in rows {
            let event = CallEvent(call: 1, time: .zero, kind: .request(bytes))
            #expect(event.json(decoded: nil, keepsSecrets: true)["message"]?.string == text)
        }
        let status = Self.events[5].json(decoded: nil, keepsSecrets: true)["status"]
        #expect(status?["details"]?.array?.first?["value"]?.string == "AQI=")
    }

    static let damaged: [(text: String, sentence: String)] = [
        ("", "f is empty"),
        ("{\"x\":1}", "is no recording"),
        ("{\"recording\":2}", "is no recording"),
        ("{\"recording\":1}\n{", "f:2: "),
        ("{\"recording\":1}\n\n{\"call\":0}", "f:3: \"call\" must be"),
        ("{\"recording\":1}\n{\"call\":1,\"event\":\"x\"}", "there is no event x"),
        ("{\"recording\":1}\n{\"call\":1,\"event\":\"request\",\"message\":\"*\"}", "base64"),
        ("{\"recording\":1}\n{\"call\":1,\"event\":\"half_close\"}", "call 1 has not begun"),
        ("{\"recording\":1}\n{\"call\":1,\"event\":\"begin\",\"method\":\"x\"}", "/service/method"),
    ]

    @Test("a damaged recording is refused with its line", arguments: damaged)
    func refuses(row: (text: String, sentence: String)) {
        let failure = #expect(throws: Failure.self) {
            try Recording(Array(row.text.utf8), path: "f")
        }
        #expect(failure?.sentence.contains(row.sentence) == true, "\(failure?.sentence ?? "")")
    }

    static let patterns: [(pattern: String, path: [String], matches: Bool)] = [
        ("id", ["id"], true), ("id", ["a", "id"], false),
        ("a.id", ["a", "id"], true), ("*.id", ["a", "id"], true), ("*", ["a", "id"], false),
        ("lines[*].sku", ["lines", "[3]", "sku"], true),
        ("lines[3].sku", ["lines", "[3]", "sku"], true),
        ("lines[2].sku", ["lines", "[3]", "sku"], false),
        ("**.at", ["a", "[0]", "at"], true), ("**.at", ["at"], true), ("**.at", ["a"], false),
        ("a.**", ["a", "b", "c"], true),
    ]

    @Test("patterns of what is ignored", arguments: patterns)
    func pattern(row: (pattern: String, path: [String], matches: Bool)) throws {
        #expect(try PathPattern(row.pattern).matches(row.path) == row.matches)
    }

    @Test("differences name the field") func diff() throws {
        let old = try JSONValue.parse(
            Array(#"{"a":1,"b":[{"c":"x","t":1},2],"d":1.0,"big":9007199254740993}"#.utf8))
        let new = try JSONValue.parse(
            Array(#"{"a":1,"b":[{"c":"y","t":2}],"d":1,"e":null,"big":9007199254740992}"#.utf8))
        var diff = AnswerDiff(ignoring: [try PathPattern("b[*].t")])
        diff.compare(old, new, in: ["messages", "[0]"])
        #expect(
            diff.differences.map(\.text) == [
                #"messages[0].b[0].c: recorded "x", answered "y""#,
                "messages[0].b[1]: recorded 2, answered nothing",
                "messages[0].big: recorded 9007199254740993, answered 9007199254740992",
                "messages[0].e: recorded nothing, answered null",
            ])
    }

    @Test("recorded by tap, replayed: the same, and where not") func replay() async throws {
        let first: BenchMethods.Stream = { request, responses in
            try await responses.write(Bench.Msg(n: 1))
            try await responses.write(Bench.Msg(n: request.n))
        }
        let second: BenchMethods.Stream = { request, responses in
            try await responses.write(Bench.Msg(n: 1))
            try await responses.write(Bench.Msg(n: request.n + 1))
            try await responses.write(Bench.Msg(n: 9))
        }
        try await Fixture.withFile { path in
            try await Fixture.with(stream: first) { server in
                let tap = server.start("record", path, ":0", "ADDRESS")
                let address = await tap.tapAddress()
                let calls: [[String]] = [
                    ["bench.Bench/Echo", #"{"data":"AQ=="}"#, "-H", "authorization: secret"],
                    ["bench.Bench/Echo", #"{"n":5}"#], ["bench.Bench/Stream", #"{"n":4}"#],
                    ["bench.Bench/PingPong", #"{"n":1}{"n":2}"#],
                ]
                for call in calls {
                    _ = try await Fixture.run(["-protoset", try Self.protoset(), address] + call)
                }
                tap.interrupt()
                #expect(await tap.result().output.contains("#4 = OK"))
                let result = try await server.run("replay", path, "ADDRESS", "-metadata")
                #expect(result.output.hasSuffix("4 as recorded, 0 different\n"), "\(result.output)")
                #expect(result.code == 0)
            }
            let text = try String(decoding: Self.contents(path), as: UTF8.self)
            #expect(text.hasPrefix("{\"recording\":1}\n{\"call\":1,\"ms\":"))
            #expect(text.contains(#""json":{"data":"AQ=="}"#))
            #expect(text.contains(#""authorization":["***"]"#) && !text.contains("secret"))
            var status = stat()
            #expect(stat(path, &status) == 0)
            try await Fixture.with(stream: second) { server in
                var result = try await server.run("replay", path, "ADDRESS")
                #expect(result.code == 1)
                #expect(result.output.contains("#3 /bench.Bench/Stream DIFFERS"))
                #expect(result.output.contains("messages[1].n: recorded 4, answered 5\n"))
                #expect(result.output.contains("messages[2]: recorded nothing, answered {\"n\":9}"))
                #expect(result.output.hasSuffix("3 as recorded, 1 different\n"))
                result = try await server.run(
                    "replay", path, "ADDRESS", "-ignore", "n", "-ignore", "messages[2]", "-ignore",
                    "status.**")
                #expect(result.code == 0, "\(result.output)")
                result = try await server.run("replay", path, "ADDRESS", "-json")
                let json = try JSONValue.parse(Array(result.output.utf8))
                #expect(json["same"] == 3 && json["different"] == 1)
                #expect(json["calls"]?.array?.count == 4)
            }
        }
    }

    @Test("call -record writes the same") func callRecord() async throws {
        try await Fixture.withFile { path in
            try await Fixture.with { server in
                _ = try await server.run(
                    "ADDRESS", "bench.Bench/PingPong", #"{"n":1}{"n":2}"#, "-record", path)
                let recording = try Recording(try Self.contents(path), path: path)
                #expect(recording.calls.count == 1)
                #expect(recording.calls.first?.responses.count == 2)
                let result = try await server.run("replay", path, "ADDRESS")
                #expect(result.code == 0, "\(result.output)")
            }
        }
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        let stream = try #require(fopen(path, "r"))
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, stream)
        return Array(bytes.prefix(count))
    }

    /// Kept for the process: the calls through the tap then need no reflection.
    private static func protoset() throws -> String {
        let path = "/tmp/rpcurl-test-bench-\(getpid()).binpb"
        let file = try #require(DescriptorPool(BenchFiles.all).file("bench/bench.proto"))
        try OutputFile(path: path).write(SchemaExport.descriptorSet([file]))
        return path
    }
}

extension Bench.Msg {
    fileprivate init(n: Int32) {
        self.init()
        self.n = n
    }
}
