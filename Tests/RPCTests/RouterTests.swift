import Testing

@testable import RPC

@Suite("Router and flat metadata")
struct RouterTests {
    @Test("every method is found by its bytes, and nothing else is")
    func table() {
        let router = Router()
        for index in 0..<200 {
            router.handle(
                MethodDescriptor(service: "pkg.S\(index % 7)", name: "M\(index)", kind: .unary)
            ) { _ in }
        }
        let table = router.table
        for method in router.methods {
            #expect(table.find(method.path)?.descriptor == method)
        }
        for path in ["", "/", "/pkg.S0/M", "/pkg.S0/M00", "/pkg.S1/M0", "pkg.S0/M0"] {
            #expect(table.find(path) == nil)
        }
        #expect(router.services == (0..<7).map { "pkg.S\($0)" })
    }

    @Test("the fallback gets unknown methods with their names, and only those")
    func fallback() throws {
        let router = Router()
        let known = MethodDescriptor(service: "pkg.S", name: "M", kind: .unary)
        router.handle(known) { _ in }
        router.handleUnknown { _ in }
        let table = router.table
        #expect(table.find("/pkg.S/M")?.descriptor == known)
        let other = try #require(table.find("/pkg.S/N")?.descriptor)
        #expect(other.service == "pkg.S" && other.name == "N" && other.kind == .bidirectional)
        #expect(table.find("/a/b/C")?.descriptor.path == "/a/b/C")
        for path in ["", "/", "//", "/a", "/a/", "//a", "a/b"] { #expect(table.find(path) == nil) }
        #expect(router.services == ["pkg.S"])
    }

    @Test("binary values: base64 with and without padding, several in one field, garbage left out")
    func flatMetadata() {
        var flat = FlatMetadata()
        for (name, value) in [
            ("x-a", "1"), ("x-b-bin", "AAEC"), ("x-b-bin", "AAE=,AA"), ("x-c-bin", "A*A"),
        ] {
            Array(name.utf8).withUnsafeBytes { name in
                Array(value.utf8).withUnsafeBytes { flat.append(name: name, value: $0) }
            }
        }
        let metadata = Metadata(flat)
        #expect(metadata.first("x-a") == "1")
        #expect(metadata.allBinary("x-b-bin") == [[0, 1, 2], [0, 1], [0]])
        #expect(metadata.allBinary("x-c-bin") == [])
    }

    @Test("base64 round trip for all lengths")
    func base64() {
        for count in 0..<64 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            #expect(MetadataBase64.decode(MetadataBase64.encode(bytes)) == bytes)
        }
        #expect(MetadataBase64.decode(Array("A".utf8)) == nil)
    }

    @Test("google.rpc.Status details: what protoc's encoding of one says")
    func statusDetails() {
        let error = RPCError(
            .notFound, "gone",
            details: [.init(typeURL: "t/a", value: [1]), .init(typeURL: "u", value: [])])
        let bytes = StatusDetails.encode(error)
        #expect(
            bytes == [
                0x08, 5, 0x12, 4, 0x67, 0x6f, 0x6e, 0x65, 0x1a, 8, 0x0a, 3, 0x74, 0x2f, 0x61, 0x12,
                1, 1, 0x1a, 3, 0x0a, 1, 0x75,
            ])
        #expect(StatusDetails.decode(bytes) == error.details)
        #expect(StatusDetails.decode([0xff, 0xff]) == [])
    }

    @Test("queue of messages keeps order")
    func queue() {
        var queue = MessageQueue()
        for byte in UInt8(0)..<5 { queue.append([byte]) }
        let first = queue.popFirst()
        #expect(first == [0])
        queue.append([5])
        var rest: [[UInt8]] = []
        while let message = queue.popFirst() { rest.append(message) }
        #expect(rest == [[1], [2], [3], [4], [5]])
        let left = queue.count
        #expect(left == 0)
    }
}
