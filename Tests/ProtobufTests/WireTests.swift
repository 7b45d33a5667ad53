import Protobuf
import Testing

@Suite struct WireTests {
    @Test(
        arguments: [
            (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"),
            (UInt64.max, "ffffffffffffffffff01"),
        ] as [(UInt64, String)])
    func varintsReadAsWritten(_ value: UInt64, _ wire: String) throws {
        var writer = WireWriter()
        writer.varint(value)
        #expect(writer.bytes == bytes(wire))
        var reader = WireReader(writer.bytes)
        #expect(try reader.varint() == value)
        #expect(reader.isAtEnd)
    }

    @Test(
        arguments: [
            (0, 0), (-1, 1), (1, 2), (-2, 3), (Int64.max, UInt64.max - 1), (Int64.min, UInt64.max),
        ] as [(Int64, UInt64)])
    func zigZag(_ value: Int64, _ wire: UInt64) {
        #expect(ZigZag.encode(value) == wire)
        #expect(ZigZag.decode(wire) == value)
        let small = Int32(truncatingIfNeeded: value)
        #expect(ZigZag.decode(ZigZag.encode(small)) == small)
    }

    @Test func fieldsReadAsWritten() throws {
        var writer = WireWriter()
        writer.field(1, varint: 150)
        writer.field(2, string: "testing")
        writer.field(3, fixed32: 7)
        writer.field(4, fixed64: 8)
        writer.field(5) { $0.field(1, bytes: [1, 2]) }
        #expect(writer.bytes.prefix(3) == [0x08, 0x96, 0x01])
        var reader = WireReader(writer.bytes)
        var seen: [UInt32] = []
        while let tag = try reader.tag() {
            seen.append(tag.number)
            switch tag.number {
            case 1: #expect(try reader.varint() == 150)
            case 2: #expect(try reader.string() == "testing")
            case 3: #expect(try reader.fixed32() == 7)
            case 4: #expect(try reader.fixed64() == 8)
            default:
                var inner = try reader.nested()
                #expect(try inner.tag()?.number == 1)
                #expect(try inner.lengthDelimited() == [1, 2])
            }
        }
        #expect(seen == [1, 2, 3, 4, 5])
    }

    @Test(arguments: [
        ("80", ProtobufError.Code.truncated), ("ffffffffffffffffffffff01", .malformed),
        ("00", .malformed), ("0f", .malformed), ("0a05616263", .truncated), ("0d0102", .truncated),
        ("0c", .malformed), ("0b", .malformed), ("0b14", .malformed), ("0aff", .truncated),
    ])
    func damagedBytesAreRefused(_ wire: String, _ code: ProtobufError.Code) {
        var reader = WireReader(bytes(wire))
        let error = failure { () throws(ProtobufError) in
            while let tag = try reader.tag() { try reader.skip(tag.number, tag.type) }
        }
        #expect(error?.code == code)
    }

    @Test func groupsAreSkippedWhole() throws {
        var reader = WireReader(bytes("0b 10 01 1b 1c 0c 20 05"))
        let group = try #require(try reader.tag())
        try reader.skip(group.number, group.type)
        #expect(try reader.tag()?.number == 4)
    }
}
