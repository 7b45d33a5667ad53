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
}
