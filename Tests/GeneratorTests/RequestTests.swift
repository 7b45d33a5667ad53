import Protobuf
import Testing

/// The generator answers every request, also a wrong one.
@Suite struct RequestTests {
    @Test("FEATURE_PROTO3_OPTIONAL is declared")
    func features() throws {
        #expect(try Plugin.respond(to: []).features == 1)
    }

    @Test(
        "a wrong parameter is an error with a sentence",
        arguments: [
            ("access=private", "access=private: expected one of public, package, internal"),
            ("services=maybe", "services=maybe: expected true or false"),
            ("module=9lives", "module=9lives: \"9lives\" is not a Swift name"),
            ("import=A+", "import=: \"\" is not a Swift name"),
            ("registry=a b", "registry=a b: \"a b\" is not a Swift name"),
            ("verbose", "parameter \"verbose\" is not of the form name=value"),
            (
                "speed=1",
                "parameter \"speed\" is unknown: "
                    + "access, defaults, import, mocks, module, registry, services"
            ),
        ])
    func parameters(_ parameter: String, _ sentence: String) throws {
        let response = try Plugin.respond(
            to: Plugin.request([], parameter: parameter, files: []))
        #expect(response.error == sentence)
        #expect(response.files.isEmpty)
    }

    @Test("parameters may be written in any case and joined by commas")
    func goodParameters() throws {
        let response = try Plugin.respond(
            to: Plugin.request([], parameter: "Access=Package,Services=false", files: []))
        #expect(response.error == nil)
    }

    @Test(
        "garbage is an error, not a crash",
        arguments: [
            [0xFF], [0x0A, 0x05, 0x61], [0x7A, 0x02, 0xFF, 0xFF], [0x0A, 0x01, 0xFF],
            [UInt8](repeating: 0x80, count: 30), [0x7B, 0x01],
        ] as [[UInt8]])
    func garbage(_ bytes: [UInt8]) throws {
        let response = try Plugin.respond(to: bytes)
        #expect(response.error != nil)
    }

    @Test("a request that is cut off anywhere, or damaged, gets an answer")
    func truncated() throws {
        let files = try Protoc.descriptors("bench/bench.proto")
        let whole = Plugin.request(["bench/bench.proto"], parameter: "", files: files)
        for count in stride(from: 0, to: whole.count, by: 7) {
            let response = try Plugin.respond(to: Array(whole.prefix(count)))
            #expect(response.error != nil || response.files.isEmpty, "cut at \(count)")
        }
        for index in stride(from: 0, to: whole.count, by: 11) {
            var damaged = whole
            damaged[index] ^= 0x5A
            _ = try Plugin.respond(to: damaged)
        }
    }

    @Test("a file that is asked for but not described, or lacks an import, is an error")
    func missingFiles() throws {
        let absent = try Plugin.respond(
            to: Plugin.request(["a.proto"], parameter: "", files: []))
        #expect(absent.error == "protoc asks for a.proto but does not describe it")
        let files = try Protoc.descriptors("google/rpc/status.proto")
        let alone = try Plugin.respond(
            to: Plugin.request(["google/rpc/status.proto"], parameter: "", files: [files[1]]))
        #expect(alone.error?.contains("google/protobuf/any.proto") == true)
    }

    @Test("an edition is refused by name, in the file itself and in one that it imports")
    func editions() throws {
        for mark in 0..<2 {
            var file = WireWriter()
            file.field(1, string: "new.proto")
            if mark == 0 {
                file.field(12, string: "editions")
            } else {
                file.field(14, varint: 1000)
            }
            let response = try Plugin.respond(
                to: Plugin.request(["new.proto"], parameter: "", files: [file.bytes]))
            #expect(
                response.error
                    == "new.proto uses an edition; only proto3 and proto2 are generated")
        }
    }

    @Test("a group is refused by name")
    func group() throws {
        var file = WireWriter()
        file.field(1, string: "old.proto")
        file.field(2, string: "old")
        file.field(
            4,
            message: { message in
                message.field(1, string: "M")
                message.field(3, message: { inner in inner.field(1, string: "G") })
                message.field(
                    2,
                    message: { field in
                        field.field(1, string: "g")
                        field.field(3, varint: 1)
                        field.field(4, varint: 1)
                        field.field(5, varint: 10)
                        field.field(6, string: ".old.M.G")
                    })
            })
        let response = try Plugin.respond(
            to: Plugin.request(["old.proto"], parameter: "", files: [file.bytes]))
        #expect(response.error == "old.proto: old.M.g is a group; use a message")
    }
}
