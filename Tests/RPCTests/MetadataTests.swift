import RPC
import Testing

@Suite("Metadata and status codes")
struct MetadataTests {
    @Test("names are lower case; what is no header is refused")
    func names() {
        var metadata = Metadata()
        let added = metadata.add("1", for: "X-Request-ID")
        #expect(added)
        #expect(metadata.first("x-request-id") == "1")
        #expect(metadata.map(\.name) == ["x-request-id"])
        for (name, value) in [
            ("", "v"), ("a b", "v"), ("ä", "v"), ("x-bin", "v"), ("x", "line\nbreak"), ("x", "é"),
        ] {
            let added = metadata.add(value, for: name)
            #expect(!added, "\(name): \(value)")
        }
        let addedBinary = metadata.add(binary: [1], for: "x")
        #expect(!addedBinary)
        #expect(metadata.count == 1)
    }

    @Test("what the literal form cannot hold stops a debug build") func literal() async {
        await #expect(processExitsWith: .failure) { _ = Metadata(["x-bin": "AAAA"]) }
        await #expect(processExitsWith: .failure) { _ = Metadata(["x-name": "Zoë"]) }
    }

    @Test("what comes from elsewhere is refused by name, without its value") func validated() throws
    {
        #expect(try Metadata(validating: [("A", "1"), ("a", "2")]).all("a") == ["1", "2"])
        for (name, value, why) in [
            ("x-bin", "AAAA", "add(binary:for:)"), ("x-name", "Zoë", "ASCII"),
            ("x y", "secret", "ASCII"),
        ] {
            let error = #expect(throws: RPCError.self) {
                try Metadata(validating: [("ok", "1"), (name, value)])
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("metadata \(name)") == true)
            #expect(error?.message.contains(why) == true)
            #expect(error?.message.contains(value) == false)
        }
    }

    @Test("values repeat in order; set replaces; remove removes")
    func values() {
        var metadata = Metadata(["a": "1", "b": "2", "A": "3"])
        #expect(metadata.all("a") == ["1", "3"])
        metadata.set("4", for: "a")
        #expect(metadata.all("a") == ["4"])
        metadata.remove("B")
        #expect(metadata.first("b") == nil)
    }

    @Test("codes have names and numbers; unknown numbers survive")
    func codes() {
        for number in Int32(0)...16 {
            let code = RPCError.Code(rawValue: number)
            #expect(RPCError.Code(name: code.name) == code)
        }
        #expect(RPCError.Code.internalError.name == "INTERNAL")
        #expect(RPCError.Code(rawValue: 99).name == "CODE_99")
    }
}
