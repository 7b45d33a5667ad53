import BenchSchema
import Glibc
import InteropSchema
import Loop
import Protobuf
import RPC
import Schema
import Testing

@testable import rpcurl

/// Printed files go through protoc: the same descriptors come out.
@Suite struct ProtoFileTests {
    private typealias File = GoogleProtobuf.FileDescriptorProto

    private func files(_ set: [UInt8]) throws -> [String: File] {
        let set = try GoogleProtobuf.FileDescriptorSet(decoding: set)
        return Dictionary(
            uniqueKeysWithValues: set.file.map { file in
                var file = file
                file.sourceCodeInfo = nil
                return (file.name ?? "", file)
            })
    }

    /// - Parameter roots: what protoc is asked for; imports come along.
    private func compile(_ roots: [String], in folder: String) async throws -> [UInt8] {
        let loop = EventLoop(name: "protoc")
        do {
            let bytes = try await Protoc(
                loop: loop, environment: EnvironmentText.ofProcess
            ).descriptorSet(of: roots.map { "\(folder)/\($0)" }, importPaths: [folder])
            await loop.stop()
            return bytes
        } catch {
            await loop.stop()
            throw error
        }
    }

    private func print(_ files: [FileSchema], _ pool: DescriptorPool, in folder: String) throws {
        for file in files { try SchemaExport.write(file, pool, in: folder) }
    }

    @Test("our contracts, gRPC's own, Google's well-known ones") func ours() async throws {
        let pool = DescriptorPool(
            SchemaFiles.all + BenchFiles.all + InteropFiles.all + RPCFiles.all
                + WellKnownFiles.all)
        #expect(pool.files.count > 30)
        try await Folder.with { folder in
            try print(pool.files, pool, in: folder)
            let made = try files(try await compile(pool.files.map(\.name), in: folder))
            for file in pool.files {
                var expected = try File(decoding: file.serialized)
                expected.sourceCodeInfo = nil
                #expect(made[file.name] == expected, "\(file.name)")
            }
        }
    }

    @Test("groups, extensions, ranges, options, and names that hide others")
    func everything() async throws {
        let source = Array(ProtoFileTests.everything.utf8)
        let other = Array(ProtoFileTests.imported.utf8)
        try await Folder.with { folder in
            try OutputFile.makeFolder("\(folder)/a")
            try OutputFile.makeFolder("\(folder)/b")
            try OutputFile(path: "\(folder)/a/every.proto").write(source)
            try OutputFile(path: "\(folder)/a/imported.proto").write(other)
            let first = try await compile(["every.proto"], in: "\(folder)/a")
            var added = DescriptorFiles()
            try added.add(set: first)
            let pool = try added.pool()
            let both = try ["every.proto", "imported.proto"].map { try #require(pool.file($0)) }
            try print(both, pool, in: "\(folder)/b")
            let second = try await compile(["every.proto"], in: "\(folder)/b")
            #expect(try files(first) == files(second))
            // Printing is stable: comments came through protoc as well.
            var printer = ProtoPrinter(pool)
            try printer.file(both[0])
            for comment in ["// A license.", "// Of the field.", "// Behind the field."] {
                #expect(printer.text.contains(comment))
            }
            var more = DescriptorFiles()
            try more.add(set: second)
            let again = try more.pool()
            var reprinter = ProtoPrinter(again)
            try reprinter.file(try #require(again.file("every.proto")))
            #expect(reprinter.text == printer.text)
        }
    }

    @Test("-proto-out-dir writes what reflection tells, imports included") func reflected()
        async throws
    {
        try await Folder.with { folder in
            try await Fixture.with { server in
                let result = try await server.run(
                    "-proto-out-dir", "\(folder)/new", "ADDRESS", "list")
                #expect(result.code == 0 && result.output == "bench.Bench\n")
            }
            let made = try files(
                try await compile(["bench/bench.proto"], in: "\(folder)/new"))
            let pool = DescriptorPool(BenchFiles.all)
            let file = try #require(pool.file("bench/bench.proto"))
            var expected = try File(decoding: file.serialized)
            expected.sourceCodeInfo = nil
            #expect(made["bench/bench.proto"] == expected)
        }
    }

    @Test(
        "a server's file names stay inside of the folder",
        arguments: [
            "../evil.proto", "/tmp/evil.proto", "a/../../evil.proto", "a//b.proto", "", ".",
            "../\u{301}x.proto", "../\u{301}d\u{600}/../.bashrc",
        ])
    func hostileNames(name: String) async throws {
        try await Folder.with { folder in
            let pool = try DescriptorPool(files: [File.with { $0.name = name }.encoded()])
            let failure = #expect(throws: Failure.self) {
                try SchemaExport.write(try #require(pool.files.first), pool, in: "\(folder)/in")
            }
            #expect(failure?.sentence.contains("not written") == true)
            #expect(access("\(folder)/in", F_OK) != 0)
        }
    }

    @Test("what cannot be written as source is said") func unknown() async throws {
        let editions = File.with {
            $0.name = "new.proto"
            $0.syntax = "editions"
        }
        var pool = try DescriptorPool(files: [editions.encoded()])
        var printer = ProtoPrinter(pool)
        #expect(throws: Failure.self) { try printer.file(try #require(pool.file("new.proto"))) }
        var options = WireWriter()
        options.field(50_001, varint: 1)
        let file = try File.with { file in
            file.name = "options.proto"
            file.options = try GoogleProtobuf.FileOptions(decoding: options.bytes)
        }
        pool = try DescriptorPool(files: [file.encoded()])
        printer = ProtoPrinter(pool)
        try printer.file(try #require(pool.file("options.proto")))
        #expect(printer.text.contains("// option 50001 cannot be shown"))
    }

    /// A folder of its own, removed afterwards.
    private enum Folder {
        static func with(_ body: (String) async throws -> Void) async throws {
            var template = Array("/tmp/rpcurl-test-XXXXXX".utf8CString)
            let path = String(cString: mkdtemp(&template))
            defer { _ = system("rm -rf \(path)") }
            try await body(path)
        }
    }
}

extension ProtoFileTests {
    static let imported = """
        syntax = "proto3";
        package names.inner;
        message Hidden { int32 number = 1; }
        """

    /// What proto2 has, and what a printer gets wrong.
    static let everything = #"""
        // A license.

        // Of the syntax.
        syntax = "proto2";
        package names;
        import public "imported.proto";
        import "google/protobuf/descriptor.proto";
        option java_package = "com.example";
        option optimize_for = CODE_SIZE;
        option (note) = { text: "a \"quote\"\n" numbers: [1, 2] child { text: "deep" } };
        option (tags) = "one";
        option (tags) = "two";
        option (fixed) = -5;
        option (level) = HIGH;
        option (raw) = "\001\377";
        option (ratio) = 1.5e30;
        option (counts) = 7;
        option (counts) = -8;

        message Note {
          optional string text = 1;
          repeated int32 numbers = 2;
          optional Note child = 3;
        }
        enum Level {
          option allow_alias = true;
          reserved -9 to -3, 40 to max;
          reserved "GONE";
          LOW = -2 [deprecated = true];
          HIGH = 1;
          TOP = 1;
        }
        extend google.protobuf.FileOptions {
          optional Note note = 50000;
          repeated string tags = 50001;
          optional sfixed64 fixed = 50002;
          optional Level level = 50003;
          optional bytes raw = 50004;
          optional double ratio = 50005;
          repeated sint32 counts = 50006 [packed = true];
        }
        extend google.protobuf.FieldOptions { optional Note about = 50000; }
        extend google.protobuf.OneofOptions { optional bool exclusive = 50000; }
        extend google.protobuf.ExtensionRangeOptions { optional bool theirs = 50000; }

        // Holds a bit of everything.
        message Everything {
          message First {}
          // Of the field.
          optional string text = 1 [default = "a\"b\\\n\t\303\251", json_name = "TeXt"];
          optional bytes blob = 2 [default = "\000\"\377'"];  // Behind the field.
          optional float infinite = 3 [default = -inf];
          optional double none = 4 [default = nan];
          optional Level level = 5 [default = HIGH];
          required group Body = 6 {
            optional int32 inside = 1;
            repeated group Row = 2 { optional string cell = 1; }
            extensions 5 to 7;
          }
          message Second {}
          map<string, Second> seconds = 7 [deprecated = true];
          message Third {}
          oneof choice {
            option (exclusive) = true;
            int32 number = 8;
            group Picked = 9 { optional bool flag = 1; }
          }
          repeated int32 packed = 10 [packed = true, (about) = { text: "x" child { text: "y" } }];
          optional bool big_default = 11 [default = true, lazy = false, ctype = CORD];
          extensions 100 to 199, 1000 to max;
          extensions 300 [(theirs) = true];
          reserved 20, 30 to 40, 500 to 600;
          reserved "old", "older";
          extend Everything {
            optional Everything self = 100;
            optional group Nested = 101 { optional int32 x = 1; }
          }
          extend Other { repeated uint64 many = 10; }
          enum Level2 { A = 0; }
        }
        message Other {
          option message_set_wire_format = false;
          extensions 10 to 20;
        }
        extend Everything {
          optional group Outside = 150 { optional Level level = 1; }
          optional string tail = 151;
        }
        message Hiding {
          message Level {}
          message names { optional int32 names = 1; }
          optional .names.Level outer = 1;
          optional Level own = 2;
          optional .names.inner.Hidden hidden = 3;
          optional names deeper = 4;
          optional int32 noted = 5 [(.names.about) = { text: "z" }];
        }
        message Wire {
          option message_set_wire_format = true;
          extensions 4 to max;
        }
        service Calls {
          option deprecated = true;
          // Of the method.
          rpc Plain(Note) returns (.names.inner.Hidden);
          rpc Both(stream Note) returns (stream Everything.First) {
            option idempotency_level = IDEMPOTENT;
          }
        }
        """#
}
