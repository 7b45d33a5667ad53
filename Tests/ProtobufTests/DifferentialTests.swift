import Protobuf
import Testing

/// The same bytes and texts through this target and through the official `protoc` binary.
@Suite struct DifferentialTests {
    static let texts = [
        "", "a_int32: -1 a_int64: -9223372036854775808 a_uint32: 4294967295",
        "a_uint64: 18446744073709551615 a_sint32: -2147483648 a_sint64: 9223372036854775807",
        "a_fixed32: 1 a_fixed64: 2 a_sfixed32: -3 a_sfixed64: -4 a_bool: true",
        "a_float: 1.5 a_double: -2.25 a_string: \"h\\303\\251llo\\000\" a_bytes: \"\\377\\000\"",
        "a_float: inf a_double: -inf", "a_double: -0 a_float: -0", "status: STATUS_LOST",
        "maybe_int: 0 maybe_string: \"\" maybe_bool: false maybe_double: 0",
        "choice_int: 0", "choice_string: \"\"", "choice_child { }", "child { child { } }",
        "ints: [1, -2, 300] plain_ints: [0, -1] zigzags: [-1, 1] doubles: [0.5, -0]",
        "floats: [1, 2] fixeds: [7] bools: [true, false] strings: [\"\", \"a\"] blobs: \"\\001\"",
        "statuses: [STATUS_DONE, STATUS_LOST, STATUS_UNKNOWN] children { } children { a_int32: 1 }",
        "counts { key: \"b\" value: 2 } counts { key: \"\" value: 0 } counts { key: \"a\" value: 1 }",
        "by_id { key: 0 value { } } by_id { key: -5 value { a_string: \"x\" } }",
        "flags { key: true value: 1 } flags { key: false value: 0 }", "far: \"a\" farthest: \"b\"",
    ]

    @Test(arguments: texts)
    func everyCodecAgrees(_ text: String) throws {
        let official = try #require(Probe.encode(text: text))
        let typed = try Sample(decoding: official)
        let dynamic = try DynamicMessage(decoding: official, schema: Probe.sample)
        #expect(dynamic.encoded() == official)
        // protoc orders map entries by key as text or number, as `Sample` does.
        #expect(typed.encoded() == official)
        #expect(try DynamicMessage(typed) == dynamic)
        let json = try ProtoJSON.print(dynamic, pool: Probe.pool)
        let parsed = try ProtoJSON.parse(json, as: Probe.sample, pool: Probe.pool)
        #expect(parsed.encoded() == official)
    }

    @Test(arguments: 1...24)
    func randomMessagesSurviveProtoc(_ seed: Int) throws {
        var random = Seeded(state: UInt64(seed))
        let message = RandomMessage.make(Probe.sample, depth: 3, &random)
        let wire = message.encoded()
        let text = try #require(Probe.decode(wire), "seed \(seed)")
        #expect(Probe.encode(text: text) == wire, "seed \(seed)")
        #expect(try Sample(decoding: wire).encoded() == wire, "seed \(seed)")
        #expect(try DynamicMessage(decoding: wire, schema: Probe.sample) == message)
        let json = try ProtoJSON.print(message, pool: Probe.pool)
        let parsed = try ProtoJSON.parse(json, as: Probe.sample, pool: Probe.pool)
        #expect(parsed == message, "seed \(seed)")
    }

    /// A field that nobody knows sends a message through the guard and libprotobuf-c.
    @Test(arguments: 1...24)
    func bothDecodersAgree(_ seed: Int) throws {
        var random = Seeded(state: UInt64(seed) &* 31)
        let wire = RandomMessage.make(Probe.sample, depth: 3, &random).encoded()
        // Field 100001 as a varint.
        let unknown: [UInt8] = [0x88, 0xea, 0x30, 0x01]
        var byLibrary = try Sample(decoding: wire + unknown)
        #expect(byLibrary.unknownFields.bytes == unknown)
        byLibrary.unknownFields = UnknownFields()
        let direct = try Sample(decoding: wire)
        // Not a number is not equal to itself, but its bytes are.
        #expect(direct.encoded() == byLibrary.encoded(), "seed \(seed)")
        #expect(direct.encoded() == wire, "seed \(seed)")
    }

    @Test(arguments: 1...60)
    func damagedMessagesAreJudgedAsProtocDoes(_ seed: Int) {
        var random = Seeded(state: UInt64(seed) &* 7919)
        var wire = RandomMessage.make(Probe.sample, depth: 2, &random).encoded()
        for _ in 0..<Int.random(in: 1...3, using: &random) where !wire.isEmpty {
            let index = Int.random(in: 0..<wire.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: wire[index] = UInt8.random(in: 0...255, using: &random)
            case 1: wire.remove(at: index)
            default: wire.insert(UInt8.random(in: 0...255, using: &random), at: index)
            }
        }
        let official = Probe.decode(wire) != nil
        let typed = failure { () throws(ProtobufError) in _ = try Sample(decoding: wire) }
        let dynamic = failure { () throws(ProtobufError) in
            _ = try DynamicMessage(decoding: wire, schema: Probe.sample)
        }
        #expect((typed == nil) == official, "seed \(seed): \(typed?.description ?? "accepted")")
        #expect(dynamic == typed, "seed \(seed)")
    }

    @Test func randomBytesNeverCrash() {
        var random = Seeded(state: 42)
        for _ in 0..<3000 {
            let count = Int.random(in: 0...64, using: &random)
            var wire = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            for k in wire.indices where Bool.random(using: &random) { wire[k] &= 0x1F }
            guard let message = try? Sample(decoding: wire) else { continue }
            #expect((try? Sample(decoding: message.encoded())) != nil)
        }
    }
}

/// Random messages whose encoding is canonical: no defaults, no NaN.
enum RandomMessage {
    static func make(
        _ schema: MessageSchema, depth: Int, _ random: inout Seeded
    ) -> DynamicMessage {
        var message = DynamicMessage(schema)
        for field in schema.fields where Int.random(in: 0..<3, using: &random) == 0 {
            if field.isMessage || field.isMap, depth == 0 { continue }
            let count = Int.random(in: 1...3, using: &random)
            if field.isMap, let entry = field.messageType {
                var map: [DynamicValue: DynamicValue] = [:]
                for _ in 0..<count {
                    let key = value(entry.fields[0], depth: depth, &random)
                    map[key] = value(entry.fields[1], depth: depth, &random)
                }
                message[field] = .map(map)
            } else if field.isRepeated {
                message[field] = .list(
                    (0..<count).map { _ in value(field, depth: depth, &random) })
            } else {
                message[field] = value(field, depth: depth, &random)
            }
        }
        return message
    }

    private static func value(
        _ field: FieldSchema, depth: Int, _ random: inout Seeded
    ) -> DynamicValue {
        let bits = random.next() >> UInt64.random(in: 0...62, using: &random) | 1
        return switch field.kind {
        case .double: .double(Double(Int32(truncatingIfNeeded: bits)) / 8)
        case .float: .float(Float(Int16(truncatingIfNeeded: bits)) / 8)
        case .int64, .sfixed64, .sint64: .int64(Int64(bitPattern: bits))
        case .uint64, .fixed64: .uint64(bits)
        case .int32, .sfixed32, .sint32: .int32(Int32(truncatingIfNeeded: bits))
        case .uint32, .fixed32: .uint32(UInt32(truncatingIfNeeded: bits))
        case .bool: .bool(true)
        case .string:
            .string(
                ["x", "é", "😀 \u{0} \"quoted\"\n", "a longer text"].randomElement(using: &random)
                    ?? "")
        case .bytes: .bytes((0...3).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .enumeration: .enumeration([1, 5, -1].randomElement(using: &random) ?? 1)
        case .message, .group: .message(make(field.messageType!, depth: depth - 1, &random))
        }
    }
}
