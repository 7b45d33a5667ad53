extension GoogleProtobuf.Duration {
    /// Truncated to whole nanoseconds.
    public init(_ duration: Swift.Duration) {
        self.init()
        seconds = duration.components.seconds
        nanos = Int32(duration.components.attoseconds / 1_000_000_000)
    }
}

extension Swift.Duration {
    public init(_ duration: GoogleProtobuf.Duration) {
        self = .seconds(duration.seconds) + .nanoseconds(Int64(duration.nanos))
    }
}
