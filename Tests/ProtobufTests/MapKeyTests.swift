import Protobuf
import Testing

@Suite("Keys of maps") struct MapKeyTests {
    /// "é" in one scalar and in two: the same to Swift, different bytes.
    static let (short, long) = ("caf\u{E9}", "cafe\u{301}")

    private func entries(_ message: DynamicMessage) -> [[UInt8]: String] {
        guard case .map(let map)? = message["fields"] else { return [:] }
        return Dictionary(
            map.compactMap { key, value in
                key.stringValue.map {
                    (Array($0.utf8), value.messageValue?["string_value"]?.stringValue ?? "")
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    @Test("keys that look the same are different keys: JSON to wire and back, in a fixed order")
    func canonical() throws {
        #expect(Self.short == Self.long)
        let text = "{\"\(Self.long)\":\"two\",\"\(Self.short)\":\"one\"}"
        let schema = GoogleProtobuf.Struct.schema
        let pool = DescriptorPool(WellKnownFiles.all)
        let message = try ProtoJSON.parse(Array(text.utf8), as: schema, pool: pool)
        let expected = [Array(Self.short.utf8): "one", Array(Self.long.utf8): "two"]
        #expect(entries(message) == expected)
        let wire = try DynamicMessage(decoding: message.encoded(), schema: schema)
        #expect(entries(wire) == expected && wire == message)
        #expect(wire.hashValue == message.hashValue)
        #expect(try ProtoJSON.print(wire, pool: pool) == Array(text.utf8))
        for _ in 0..<5 { #expect(wire.encoded() == message.encoded()) }
    }

    @Test("texts are equal byte by byte")
    func values() {
        #expect(DynamicValue.string(Self.short) != .string(Self.long))
        #expect(Set([DynamicValue.string(Self.short), .string(Self.long)]).count == 2)
        #expect(DynamicValue.string("a") != .bytes(Array("a".utf8)))
        #expect(DynamicValue.int32(1) != .enumeration(1) && DynamicValue.int32(1) != .int64(1))
        #expect(DynamicValue.map([.string("a"): .bool(true)]) == .map([.string("a"): .bool(true)]))
    }

    @Test("the same key twice is refused in JSON")
    func twice() throws {
        let schema = GoogleProtobuf.Struct.schema
        #expect(throws: ProtobufError.self) {
            try ProtoJSON.parse(
                Array(#"{"a":1,"a":2}"#.utf8), as: schema, pool: DescriptorPool(WellKnownFiles.all))
        }
    }
}
