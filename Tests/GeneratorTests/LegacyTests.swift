import Protobuf
import Testing

/// Generated proto2: presence of everything, required fields, extensions that stay unknown.
@Suite struct LegacyTests {
    @Test("presence is tracked, a default is not applied, and everything comes back")
    func roundTrip() throws {
        var record = TestingLegacy.Record()
        #expect(record.count == nil && record.label == nil && record.kind == nil)
        record.id = "r"
        record.count = 0
        record.kind = .plain
        record.packed = [1, 2, 300]
        record.loose = [4, 5]
        record.old = false
        record.choice = .number(-1)
        var parent = TestingLegacy.Record()
        parent.id = "p"
        record.parent = parent
        let bytes = record.encoded()
        let again = try TestingLegacy.Record(decoding: bytes)
        #expect(again == record)
        #expect(again.count == 0 && again.label == nil && again.old == false)
        // Field 5 in one piece, field 6 in two.
        #expect(bytes.split(separator: [0x2A, 0x04, 1, 2, 0xAC, 0x02]).count == 2)
        #expect(bytes.split(separator: [0x30, 4, 0x30, 5]).count == 2)
    }

    @Test("a required field that is missing is an error that names it")
    func required() throws {
        let error = #expect(throws: ProtobufError.self) {
            _ = try TestingLegacy.Record(decoding: [0x10, 1])
        }
        #expect("\(try #require(error))".contains("id"))
    }

    @Test("an extension's bytes are kept and written again")
    func extensions() throws {
        // id = "r", colour (100) = "red"
        let bytes: [UInt8] = [0x0A, 1, 0x72, 0xA2, 0x06, 3, 0x72, 0x65, 0x64]
        let record = try TestingLegacy.Record(decoding: bytes)
        #expect(record.unknownFields.bytes == Array(bytes.dropFirst(3)))
        #expect(record.encoded() == bytes)
    }

    @Test("a group on the wire, which no generated message has, is skipped")
    func group() throws {
        // id, then group 20 { 1: 5 }
        let bytes: [UInt8] = [0x0A, 1, 0x72, 0xA3, 0x01, 0x08, 5, 0xA4, 0x01]
        let record = try TestingLegacy.Record(decoding: bytes)
        #expect(record.id == "r")
        #expect(record.encoded() == Array(bytes.prefix(3)))
    }
}
