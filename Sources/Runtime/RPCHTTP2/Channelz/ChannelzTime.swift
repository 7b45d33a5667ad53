import Environment
import Protobuf
import RPC

/// Turns the loops' milliseconds into the time of day.
struct ChannelzTime {
    private let wall: Instant
    private let milliseconds: UInt64

    init(_ clock: Clock) {
        wall = clock.now()
        // The loops count on the same clock.
        milliseconds = UInt64(Deadline.now().nanoseconds / 1_000_000)
    }

    /// Nil for zero, which is never.
    func timestamp(_ then: UInt64) -> GoogleProtobuf.Timestamp? {
        guard then > 0 else { return nil }
        let age = milliseconds > then ? milliseconds - then : 0
        return GoogleProtobuf.Timestamp(wall - .milliseconds(age))
    }
}

extension GoogleProtobuf.Timestamp {
    init(_ instant: Instant) {
        self.init()
        seconds = instant.secondsSinceEpoch
        nanos = Int32((instant.microseconds - seconds * 1_000_000) * 1000)
    }
}
