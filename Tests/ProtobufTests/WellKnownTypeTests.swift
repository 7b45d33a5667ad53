import Protobuf
import Testing

@Suite("Any and Timestamp in typed code") struct WellKnownTypeTests {
    @Test("a message goes into an Any and comes out again, of whatever URL") func packing() throws {
        let sample = Sample.with { $0.string = "é" }
        var any = GoogleProtobuf.Any_(packing: sample)
        #expect(any.typeUrl == "type.googleapis.com/\(Sample.schema.fullName)")
        #expect(any.holds(Sample.self) && !any.holds(GoogleProtobuf.Duration.self))
        #expect(try any.unpacked(as: Sample.self) == sample)
        // The wire, and the other ways to write the type.
        any = try GoogleProtobuf.Any_(decoding: any.encoded())
        any.typeUrl = "example.com/types/\(Sample.schema.fullName)"
        let inferred: Sample = try any.unpacked()
        #expect(inferred == sample)
        let empty = GoogleProtobuf.Any_(packing: GoogleProtobuf.Empty())
        #expect(try empty.unpacked(as: GoogleProtobuf.Empty.self) == GoogleProtobuf.Empty())
    }

    @Test("another type, no type and damaged bytes are told apart") func refusals() {
        var any = GoogleProtobuf.Any_(packing: GoogleProtobuf.Duration())
        func refusal() -> ProtobufError? {
            failure { () throws(ProtobufError) in _ = try any.unpacked(as: Sample.self) }
        }
        #expect(refusal()?.code == .mismatch)
        #expect(refusal()?.message.contains("holds a google.protobuf.Duration") == true)
        any.typeUrl = ""
        #expect(refusal()?.message.contains("holds nothing") == true)
        any = GoogleProtobuf.Any_(packing: Sample())
        any.value = [0x72, 2, 0xff, 0xfe]
        #expect(refusal()?.code == .invalidUTF8)
    }

    @Test(
        "times since 1970, before it and at the ends",
        arguments: [
            (.zero, 0, 0), (.milliseconds(1500), 1, 500_000_000),
            (.milliseconds(-1500), -2, 500_000_000), (.nanoseconds(-1), -1, 999_999_999),
            (.seconds(-1), -1, 0), (.seconds(1 << 60), 253_402_300_799, 0),
            (.seconds(-1 << 60), -62_135_596_800, 0),
            (.init(secondsComponent: 0, attosecondsComponent: -1), -1, 999_999_999),
            (.init(secondsComponent: 0, attosecondsComponent: 999_999_999), 0, 0),
        ] as [(Swift.Duration, Int64, Int32)])
    func timestamps(_ time: Swift.Duration, seconds: Int64, nanos: Int32) {
        let timestamp = GoogleProtobuf.Timestamp(sinceEpoch: time)
        #expect(timestamp.seconds == seconds)
        #expect(timestamp.nanos == nanos)
        #expect(GoogleProtobuf.Timestamp(sinceEpoch: timestamp.sinceEpoch) == timestamp)
    }

    @Test func durations() {
        let duration = GoogleProtobuf.Duration(.milliseconds(-1500))
        #expect(duration.seconds == -1 && duration.nanos == -500_000_000)
        #expect(Swift.Duration(duration) == .milliseconds(-1500))
    }
}
