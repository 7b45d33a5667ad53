import Glibc
import Protobuf
import Testing

/// One row for each pitfall of libprotobuf-c 1.4.1 (shared/reference/rpc.md §7).
@Suite struct GuardTests {
    private func nested(_ levels: Int) -> [UInt8] {
        var inner: [UInt8] = []
        for _ in 0..<levels {
            var writer = WireWriter()
            writer.field(17, bytes: inner)
            inner = writer.bytes
        }
        return inner
    }

    @Test func depthIsLimited() {
        #expect(
            failure { () throws(ProtobufError) in _ = try Sample(decoding: nested(100)) } == nil)
        for levels in [101, 540, 9000] {
            let error = failure { () throws(ProtobufError) in
                _ = try Sample(decoding: nested(levels))
            }
            #expect(error?.code == .tooDeep)
            let dynamic = failure { () throws(ProtobufError) in
                _ = try DynamicMessage(decoding: nested(levels), schema: Probe.sample)
            }
            #expect(dynamic?.code == .tooDeep)
        }
    }

    @Test func groupsNestNoDeeperThanMessages() {
        let groups = [UInt8](repeating: 0x0B, count: 100_000)
        let error = failure { () throws(ProtobufError) in _ = try Sample(decoding: groups) }
        #expect(error?.code == .tooDeep)
    }

    @Test func embeddedNULSurvives() throws {
        let message = try Sample(decoding: bytes("72 05 61 62 00 63 64"))
        #expect(message.string == "ab\0cd")
        #expect(message.encoded() == bytes("72 05 61 62 00 63 64"))
    }

    @Test(arguments: [
        "72 02 ff fe", "72 01 80", "72 02 c0 80", "72 03 ed a0 80", "72 04 f4 90 80 80",
        "72 0a 61 62 63 64 65 66 67 68 69 c3", "8a01 04 72 02 ff fe", "9a01 01 ff",
        "8202 01 ff", "a202 04 0a 02 c3 28",
    ])
    func stringsMustBeUTF8(_ wire: String) {
        let error = failure { () throws(ProtobufError) in _ = try Sample(decoding: bytes(wire)) }
        #expect(error?.code == .invalidUTF8)
        #expect(error?.offset != nil)
        #expect(Probe.decode(bytes(wire)) == nil)
    }

    @Test(arguments: ["72 02 c3 a9", "72 03 e2 82 ac", "72 04 f0 9f 98 80", "7a 02 ff fe"])
    func validTextAndAnyBytesPass(_ wire: String) throws {
        #expect(try Sample(decoding: bytes(wire)).encoded() == bytes(wire))
    }

    @Test func unknownGroupsAreStripped() throws {
        // 2000: start group, int32 inside, end group; then a_int32 = 5.
        let message = try Sample(decoding: bytes("837d 08 01 847d 08 05"))
        #expect(message.int32 == 5)
        #expect(message.unknownFields.isEmpty)
        let dynamic = try DynamicMessage(
            decoding: bytes("837d 08 01 847d 08 05"), schema: Probe.sample)
        #expect(dynamic.encoded() == bytes("08 05 837d 08 01 847d"))
    }

    @Test func duplicateSubmessagesAreMerged() throws {
        // child { a_int32: 1, ints: 1 } then child { a_int64: 2, ints: 2 }: the type has a oneof.
        let wire = bytes("8a01 06 08 01 ca01 01 01 8a01 06 10 02 ca01 01 02")
        let child = try #require(try Sample(decoding: wire).child.first)
        #expect(child.int32 == 1)
        #expect(child.int64 == 2)
        #expect(child.ints == [1, 2])
        let dynamic = try DynamicMessage(decoding: wire, schema: Probe.sample)
        #expect(dynamic.encoded() == Sample.with { $0.child = [child] }.encoded())
    }

    @Test func nestedDuplicatesAreMergedToo() throws {
        // child { child { a_int32: 1 } } child { child { a_int64: 2 } }
        let wire = bytes("8a01 05 8a01 02 08 01 8a01 05 8a01 02 10 02")
        let inner = try #require(try Sample(decoding: wire).child.first?.child.first)
        #expect(inner.int32 == 1)
        #expect(inner.int64 == 2)
    }

    @Test(arguments: [
        ("b001 01 ba01 01 61", Sample.Choice.string("a")),
        ("ba01 01 61 b001 01", .int(1)),
        ("c201 02 08 01 b001 07 c201 02 10 02", .child([Sample.with { $0.int64 = 2 }])),
        (
            "c201 02 08 01 c201 02 10 02",
            .child([
                Sample.with {
                    $0.int32 = 1
                    $0.int64 = 2
                }
            ])
        ),
        ("b001 01 b001 02", .int(2)),
    ])
    func ofAOneofTheLastMemberStays(_ wire: String, _ choice: Sample.Choice) throws {
        let message = try Sample(decoding: bytes(wire))
        #expect(message.choice == choice)
        let dynamic = try DynamicMessage(decoding: bytes(wire), schema: Probe.sample)
        #expect(dynamic.encoded() == message.encoded())
    }

    @Test func ofAMapTheLastEntryStays() throws {
        let message = try Sample(decoding: bytes("a202 05 0a 01 61 10 01 a202 05 0a 01 61 10 02"))
        #expect(message.counts == ["a": 2])
    }

    @Test(arguments: ["0a 01 61", "0d 01 00 00 00", "70 01", "880101", "dd0101000000"])
    func wrongWireTypesCountAsUnknown(_ wire: String) throws {
        let message = try Sample(decoding: bytes(wire))
        #expect(message == Sample())
        let dynamic = try DynamicMessage(decoding: bytes(wire), schema: Probe.sample)
        #expect(dynamic.unknownFields.bytes == bytes(wire))
        #expect(Probe.decode(bytes(wire)) != nil)
    }

    @Test func packedAndUnpackedAreBothAccepted() throws {
        #expect(try Sample(decoding: bytes("c801 01 c801 02 ca01 02 03 04")).ints == [1, 2, 3, 4])
        #expect(try Sample(decoding: bytes("d201 02 03 04")).plainInts == [3, 4])
        #expect(try Sample(decoding: bytes("ca01 00")).ints == [])
    }

    @Test func packedBoolsMayBeAnyVarint() throws {
        let message = try Sample(decoding: bytes("fa01 05 01 00 05 8001"))
        #expect(message.bools == [true, false, true, true])
    }

    @Test(arguments: [
        "00", "0800ff", "08 ffffffffffffffffffff01", "06", "07", "0c", "837d 08 01 8c7d",
        "ea01 03 010203", "e201 07 01020304050607", "ca01 01 80", "72 05 61", "fdffffffff00",
        "72 818080808000 61", "8a01 03 72 05 61", "837d",
    ])
    func damagedBytesAreRefused(_ wire: String) {
        let typed = failure { () throws(ProtobufError) in _ = try Sample(decoding: bytes(wire)) }
        #expect(typed?.offset != nil)
        let dynamic = failure { () throws(ProtobufError) in
            _ = try DynamicMessage(decoding: bytes(wire), schema: Probe.sample)
        }
        #expect(dynamic == typed)
        #expect(Probe.decode(bytes(wire)) == nil)
    }

    @Test func unknownFieldsAreKept() throws {
        let wire = bytes("08 05 807d 01 827d 02 6162 857d 01020304 817d 0102030405060708")
        let message = try Sample(decoding: wire)
        #expect(message.unknownFields.bytes == Array(wire.dropFirst(2)))
        #expect(message.encoded() == wire)
        let child = try Sample(decoding: bytes("8a01 03 807d 07"))
        #expect(child.encoded() == bytes("8a01 03 807d 07"))
    }

    @Test func unknownEnumValuesAreKept() throws {
        let message = try Sample(decoding: bytes("800163"))
        #expect(message.status == 99)
        #expect(message.encoded() == bytes("800163"))
    }

    @Test func occurrencesAreLimited() {
        let wire = [[UInt8]](repeating: bytes("d00101"), count: 1000).flatMap { $0 }
        let limits = DecodingLimits(occurrences: 999)
        let error = failure { () throws(ProtobufError) in
            _ = try Sample(decoding: wire, limits: limits)
        }
        #expect(error?.code == .tooLarge)
        #expect(failure { () throws(ProtobufError) in _ = try Sample(decoding: wire) } == nil)
    }

    private func threadTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// The processor's time of this thread, for the least of three runs.
    private func cost(_ body: () throws -> Void) rethrows -> Double {
        var least = Double.infinity
        for _ in 0..<3 {
            let start = threadTime()
            try body()
            least = min(least, threadTime() - start)
        }
        return least
    }

    /// Packed segments, elements, entries, and a submessage that comes again and again, of which
    /// the last one gets longer each time.
    @Test(arguments: [
        "ca01 01 01", "d001 01", "a202 05 0a 01 61 10 01", "8a01 04 ca01 01 01", "8a01 03 d001 01",
        "c201 04 ca01 01 01",
    ])
    func whatIsAddedOftenIsNotCopiedEachTime(_ wire: String) throws {
        func decode(_ count: Int) throws -> Double {
            let wire = [[UInt8]](repeating: bytes(wire), count: count).flatMap { $0 }
            return try cost { _ = try DynamicMessage(decoding: wire, schema: Probe.sample) }
        }
        // Sixteen times the bytes: sixteen times the work, where copying made it 256.
        #expect(try decode(32_000) < 80 * decode(2_000))
    }

    @Test func memoryIsLimited() {
        // 300 000 empty sub-messages of a thousand bytes each out of 900 kB.
        let wire = [[UInt8]](repeating: bytes("9a0200"), count: 300_000).flatMap { $0 }
        let error = failure { () throws(ProtobufError) in _ = try Sample(decoding: wire) }
        #expect(error?.code == .tooLarge)
        // The thread's arena is usable again at once.
        #expect(failure { () throws(ProtobufError) in _ = try Sample(decoding: [8, 1]) } == nil)
    }

    @Test func negativeZeroIsSent() throws {
        let message = Sample.with {
            $0.float = -0.0
            $0.double = -0.0
        }
        #expect(message.encoded() == bytes("5d 00000080 61 0000000000000080"))
        #expect(try Sample(decoding: message.encoded()).float.sign == .minus)
        #expect(try DynamicMessage(message).encoded() == message.encoded())
    }
}

extension Sample {
    static func with(_ change: (inout Sample) -> Void) -> Sample {
        var sample = Sample()
        change(&sample)
        return sample
    }
}
