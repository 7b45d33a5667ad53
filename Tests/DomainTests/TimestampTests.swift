import Environment
import Protobuf
import Testing

@testable import Domain

struct TimestampTests {
    @Test(
        "microseconds to the protobuf form and back, before 1970 too",
        arguments: [
            (0, 0, 0), (1, 0, 1000), (-1, -1, 999_999_000),
            (1_764_633_600_123_456, 1_764_633_600, 123_456_000),
            (-1_000_000, -1, 0),
        ] as [(Int64, Int64, Int32)])
    func roundTrip(_ microseconds: Int64, seconds: Int64, nanos: Int32) {
        let instant = Instant(microseconds: microseconds)
        let timestamp = GoogleProtobuf.Timestamp(instant)
        #expect(timestamp.seconds == seconds)
        #expect(timestamp.nanos == nanos)
        #expect(Instant(timestamp) == instant)
    }

    @Test("beyond the years of the message, the nearest of them")
    func ends() {
        #expect(GoogleProtobuf.Timestamp(Instant(microseconds: .min)).seconds == -62_135_596_800)
        #expect(GoogleProtobuf.Timestamp(Instant(microseconds: .max)).seconds == 253_402_300_799)
    }
}
