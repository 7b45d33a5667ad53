import BenchSchema
import Protobuf
import Schema
import Testing

@testable import rpcurl

@Suite struct TextFormatTests {
    private static let pool = DescriptorPool(
        WellKnownFiles.all + SchemaFiles.all + BenchFiles.all)

    private func parse(_ text: String, _ type: String = "bench.Booking") throws -> DynamicMessage {
        try TextFormatParser.parse(
            Array(text.utf8), as: try #require(Self.pool.message(type)), pool: Self.pool)
    }

    /// Text in, JSON out.
    static let accepted: [(type: String, text: String, json: String)] = [
        ("bench.Msg", "", "{}"),
        ("bench.Msg", "n: -5", #"{"n":-5}"#),
        ("bench.Msg", "n: 0x1F data: 'a' \"\\x01\\n\\101\"", #"{"data":"YQEKQQ==","n":31}"#),
        ("bench.Msg", "# comment\nn: 017;", #"{"n":15}"#),
        ("bench.Booking", "status: HELD, confirmed: t", #"{"status":"HELD","confirmed":true}"#),
        ("bench.Booking", "status: 2 price: 1.5e3f", #"{"status":"CONFIRMED","price":1500}"#),
        ("bench.Booking", "price: -inf note: \"\\u00e9ü\"", #"{"price":"-Infinity","note":"éü"}"#),
        (
            "bench.Booking", "lines { qty: 1 } lines < sku: 'x' > lines: [{qty: 2}, {}]",
            #"{"lines":[{"qty":1},{"sku":"x"},{"qty":2},{}]}"#
        ),
        (
            "bench.Booking", "labels { key: 'a' value: 'b' } labels: {key: 'c'}",
            #"{"labels":{"a":"b","c":""}}"#
        ),
        (
            "google.protobuf.Any", "[type.googleapis.com/bench.Msg] { n: 7 }",
            #"{"@type":"type.googleapis.com/bench.Msg","n":7}"#
        ),
    ]

    @Test("reads what protoc --encode reads", arguments: accepted)
    func reads(row: (type: String, text: String, json: String)) throws {
        let message = try parse(row.text, row.type)
        let json = try ProtoJSON.print(message, pool: Self.pool)
        #expect(try JSONValue.parse(json) == JSONValue.parse(Array(row.json.utf8)))
        let again = try parse(
            TextFormat(Self.pool).lines(message).joined(separator: "\n"), row.type)
        #expect(again == message)
    }

    static let refused: [(text: String, sentence: String)] = [
        ("nope: 1", "bench.Booking has no field nope (line 1, column 1)"),
        ("id: 1", "1 is no string"),
        ("\n  start_unix: 'x'", "not a string (line 2"),
        ("start_unix: 9223372036854775808", "is no int64"),
        ("status: LOST", "LOST is no bench.Status"),
        ("id 'x'", "expected \":\""),
        ("lines { qty: 1", "ends early"),
        ("id: 'x", "does not end"),
        ("id: 'x' id: 'y'", "given twice"),
        ("id: ['x']", "is not repeated"),
        ("id: \"\\q\"", "no escape"),
        ("id: \"\\xff\"", "not UTF-8"),
        ("lines: 5", "expected \"{\""),
        ("@", "there is a \"@\""),
        ("[a/b.C] {}", "no type of an Any"),
        (String(repeating: "lines {", count: 3), "has no field lines"),
    ]

    @Test("says what is wrong and where", arguments: refused)
    func refuses(row: (text: String, sentence: String)) throws {
        let failure = #expect(throws: Failure.self) { try parse(row.text) }
        #expect(failure?.sentence.contains(row.sentence) == true, "\(failure?.sentence ?? "")")
    }

    @Test("unknown fields are skipped on request") func unknown() throws {
        let schema = try #require(Self.pool.message("bench.Msg"))
        let text = "a: 1 b { c: 'x' 'y' d: [1, 2] } e: -inf n: 4 f < g: [{h: 1}] >"
        let message = try TextFormatParser.parse(
            Array(text.utf8), as: schema, pool: Self.pool, ignoresUnknownFields: true)
        #expect(message["n"] == .int32(4))
    }

    @Test("nesting is limited") func depth() throws {
        let text = String(repeating: "struct_value { fields { value {", count: 40)
        let failure = #expect(throws: Failure.self) { try parse(text, "google.protobuf.Value") }
        #expect(failure?.sentence.contains("nest too deeply") == true)
        #expect(throws: Failure.self) { try parse(String(repeating: "x {", count: 1_000_000)) }
    }

    @Test("messages are cut at the record separator, however the bytes arrive") func splitter() {
        let bytes = Array("n: 1\u{1E}n: 2\n\u{1E}\u{1E} \n".utf8)
        for size in 1...bytes.count {
            var splitter = TextSplitter()
            var texts: [String] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                splitter.feed(rest.prefix(size))
                rest = rest.dropFirst(size)
                while let text = splitter.next() {
                    texts.append(String(decoding: text, as: UTF8.self))
                }
            }
            if let text = splitter.rest() { texts.append(String(decoding: text, as: UTF8.self)) }
            #expect(texts == ["n: 1", "n: 2\n", ""])
        }
    }

    @Test("-format text in and out, -format-error") func calls() async throws {
        try await Fixture.with { server in
            var result = try await server.run(
                "-format", "text", "ADDRESS", "call", "bench.Bench/PingPong", "@",
                input: "n: 7 data: '\\001'\u{1E}n: 8")
            #expect(result.output == "data: \"\\001\"\nn: 7\n\u{1E}\nn: 8\n", "\(result.notes)")
            result = try await server.run(
                "-format", "text", "-format-error", "ADDRESS", "bench.Bench/Echo", "n: 5")
            #expect(result.code == 69)
            #expect(result.notes.hasPrefix("code: 5\nmessage: \"as asked\"\ndetails {\n"))
            result = try await server.run(
                "-compact", "-format-error", "ADDRESS", "bench.Bench/Echo", #"{"n":5}"#)
            let json = try JSONValue.parse(Array(result.notes.utf8))
            #expect(json["code"] == 5 && json["details"]?.array?.count == 3)
            result = try await server.run(
                "-format", "text", "ADDRESS", "bench.Bench/Echo", "m: 1")
            #expect(result.code == 1 && result.notes.contains("has no field m (line 1"))
        }
    }
}
