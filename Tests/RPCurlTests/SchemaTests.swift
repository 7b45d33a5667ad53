import BenchSchema
import Glibc
import Protobuf
import Schema
import Testing

@testable import rpcurl

@Suite struct SchemaTests {
    private func serialized(_ names: String...) throws -> [[UInt8]] {
        let pool = DescriptorPool(SchemaFiles.all + BenchFiles.all)
        return try names.map { try #require(pool.file($0)).serialized }
    }

    private func set(_ files: [[UInt8]]) -> [UInt8] {
        var writer = WireWriter()
        for file in files { writer.field(1, bytes: file) }
        return writer.bytes
    }

    @Test("imports that nobody has stand empty, well-known ones are built in")
    func missingImports() throws {
        var files = DescriptorFiles()
        for file in try serialized("janji/booking/v1/booking.proto", "janji/booking/v1/slot.proto")
        {
            try files.add(file)
            try files.add(file)
        }
        #expect(files.missing.contains("google/api/annotations.proto"))
        files.markAbsent("google/api/annotations.proto")
        #expect(!files.missing.contains("google/api/annotations.proto"))
        let pool = try files.pool()
        #expect(pool.service("janji.booking.v1.Bookings") != nil)
        #expect(pool.message("google.protobuf.Timestamp") != nil)
    }

    @Test("a type that is missing altogether is named") func missingType() throws {
        let failure = try #require(throws: Failure.self) {
            try DescriptorSetSource(
                sets: [("x.binpb", set(try serialized("janji/booking/v1/booking.proto")))])
        }
        #expect(failure.sentence.contains("janji.booking.v1.Slot"))
        #expect(failure.sentence.contains("--include_imports"))
    }

    @Test func damagedSet() throws {
        let failure = #expect(throws: Failure.self) {
            try DescriptorSetSource(sets: [("x.binpb", [10, 255])])
        }
        #expect(failure?.sentence.hasPrefix("x.binpb is no descriptor set") == true)
    }

    @Test("a descriptor set answers without a server") func withoutServer() async throws {
        var template = Array("/tmp/rpcurl-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let bytes = set(try serialized("bench/bench.proto"))
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { unlink(path) }
        var result = try await Fixture.run(["-protoset", path, "list"])
        #expect(result.output == "bench.Bench\n")
        result = try await Fixture.run(["-protoset", path, "-methods", "-json", "-compact", "list"])
        #expect(result.output.hasPrefix(#"["bench.Bench/Echo","#))
        try await Fixture.with(.none) { server in
            let result = try await server.run(
                "-protoset", path, "-compact", "ADDRESS", "bench.Bench/Echo", "-d",
                #"{"data":"AQ=="}"#)
            #expect(result.output == "{\"data\":\"AQ==\"}\n")
        }
    }

    @Test("an Any of unknown type keeps its bytes", arguments: [false, true])
    func unknownAny(nested: Bool) async throws {
        let pool = try DescriptorFiles().pool()
        var any = GoogleProtobuf.Any_()
        any.typeUrl = "x/deep.er.Thing"
        any.value = [1, 2]
        if nested {
            var outer = GoogleProtobuf.Any_()
            outer.typeUrl = "type.googleapis.com/google.protobuf.Any"
            outer.value = any.encoded()
            any = outer
        }
        var printer = MessagePrinter(nil, pool, Settings())
        let json = try await printer.json(any.encoded(), as: GoogleProtobuf.Any_.schema)
        let inner: JSONValue = ["@type": "x/deep.er.Thing", "@value": "AQI="]
        let expected: JSONValue =
            nested ? ["@type": "type.googleapis.com/google.protobuf.Any", "value": inner] : inner
        #expect(try JSONValue.parse(json) == expected)
    }

    @Test(
        "names that look alike",
        arguments: [
            ("a.Bokings", ["a.Bookings", "a.Slots"], "did you mean a.Bookings?"),
            ("Bookings", ["a.Bookings", "a.Slots"], "did you mean a.Bookings?"),
            ("zzzzzz", ["a.Bookings"], "the things are a.Bookings"),
            ("x", [], "there are no things"),
        ])
    func suggestion(row: (name: String, known: [String], text: String)) {
        #expect(Suggestion.text(row.name, of: row.known, "things") == row.text)
    }

    @Test("types that reflection does not deliver stand empty") func standIns() throws {
        var files = DescriptorFiles()
        for file in try serialized("janji/booking/v1/booking.proto") { try files.add(file) }
        #expect(throws: ProtobufError.self) { try files.pool() }
        let pool = try files.pool(withStandIns: true)
        let service = try #require(pool.service("janji.booking.v1.Bookings"))
        #expect(!service.methods.isEmpty)
        #expect(pool.message("janji.booking.v1.Slot")?.fields.isEmpty == true)
        var booking = DynamicMessage(try #require(pool.message("janji.booking.v1.Booking")))
        booking["id"] = .string("x")
        #expect(try ProtoJSON.print(booking, pool: pool) == Array(#"{"id":"x"}"#.utf8))
    }

    @Test("-proto: protoc compiles the files, and its words are shown") func protoFiles()
        async throws
    {
        let environment = EnvironmentText.ofProcess
        let source = "syntax = \"proto3\"; package tried; message Thing { int32 n = 1; }"
        try await Fixture.withFile(Array(source.utf8)) { path in
            var result = try await Fixture.run(
                ["-proto", path, "describe", "tried.Thing"], environment: environment)
            #expect(result.output.contains("message Thing {\n  int32 n = 1;"), "\(result.notes)")
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            result = try await Fixture.run(
                ["-import-path", "/tmp", "-proto", name, "describe", "tried.Thing"],
                environment: environment)
            #expect(result.code == 0, "\(result.notes)")
            result = try await Fixture.run(
                ["-proto", path, "describe", "tried.Thing"], environment: ["PATH": "/no/such"])
            #expect(result.code == 1 && result.notes.contains("apt install protobuf-compiler"))
        }
        try await Fixture.withFile(Array("syntax = \"proto3\"; message {".utf8)) { path in
            let result = try await Fixture.run(
                ["-proto", path, "list"], environment: environment)
            #expect(result.code == 1 && result.notes.contains("Expected message name"))
        }
    }

    @Test("-protoset-out keeps the schema, which then answers without reflection")
    func protosetOut() async throws {
        try await Fixture.withFile { path in
            try await Fixture.with { server in
                let result = try await server.run("-protoset-out", path, "ADDRESS", "list")
                #expect(result.code == 0)
            }
            var result = try await Fixture.run(["-protoset", path, "list", "bench.Bench"])
            #expect(result.output.hasPrefix("bench.Bench/Echo\n"))
            try await Fixture.with(.none) { server in
                result = try await server.run(
                    "-protoset", path, "-compact", "ADDRESS", "bench.Bench/Echo", "{}")
                #expect(result.output == "{}\n")
            }
        }
    }

    @Test("-use-reflection: what the files lack comes from the server") func combined() async throws
    {
        try await Fixture.withFile(set(try serialized("google/api/http.proto"))) { path in
            try await Fixture.with { server in
                var result = try await server.run(
                    "-protoset", path, "ADDRESS", "describe", "bench.Msg")
                #expect(result.code == 1)
                result = try await server.run(
                    "-protoset", path, "-use-reflection", "ADDRESS", "describe", "bench.Msg")
                #expect(result.code == 0 && result.output.contains("message Msg {"))
                result = try await server.run(
                    "-protoset", path, "-use-reflection", "ADDRESS", "describe",
                    "google.api.HttpRule")
                #expect(result.code == 0)
            }
        }
    }
}
