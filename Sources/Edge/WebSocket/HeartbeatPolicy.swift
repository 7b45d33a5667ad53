/// When to ping and when to give up (requirement X-40): a ping every interval; any frame counts as
/// life; no frame within the timeout after a ping means dead. A silent peer is found within
/// interval + timeout. Time is passed in, monotonic nanoseconds; the owner arms one timer for
/// `nextCheck`.
public struct HeartbeatPolicy: Sendable, Hashable {
    public struct Configuration: Sendable, Hashable {
        /// Time between two pings, nanoseconds.
        public var interval: UInt64
        /// How long to wait for any frame after a ping, nanoseconds.
        public var timeout: UInt64

        /// 30 s and 10 s.
        public init(interval: UInt64 = 30_000_000_000, timeout: UInt64 = 10_000_000_000) {
            precondition(interval > 0 && timeout > 0)
            self.interval = interval
            self.timeout = timeout
        }
    }

    public enum Action: Sendable, Hashable {
        /// Nothing to do before `nextCheck`.
        case wait
        /// Send a ping frame now.
        case ping
        /// Close and remove the connection now.
        case dead
    }

    private let configuration: Configuration
    private var nextPing: UInt64
    /// Until when a frame must come; nil when none is awaited.
    private var deadline: UInt64?

    public init(configuration: Configuration = Configuration(), now: UInt64) {
        self.configuration = configuration
        nextPing = now + configuration.interval
    }

    /// When `check` has something to do next, if no frame comes before.
    public var nextCheck: UInt64 { min(nextPing, deadline ?? .max) }

    /// A frame of any kind arrived.
    public mutating func receivedFrame() { deadline = nil }

    /// What is due. Calling it early or twice does no harm; a late call pings once, not once for
    /// every interval missed.
    public mutating func check(now: UInt64) -> Action {
        if let deadline, now >= deadline { return .dead }
        guard now >= nextPing else { return .wait }
        nextPing = now + configuration.interval
        if deadline == nil { deadline = now + configuration.timeout }
        return .ping
    }
}
