import Environment

/// When a connection must be looked at next, and what is due then: one timer serves every
/// timeout. A value that knows no timers and no sockets; times are milliseconds of the loop.
///
///     handshaking ──SETTINGS──▶ open ──leave──▶ noticed ──pong──▶ leaving ──no calls──▶ lingering
struct ConnectionClock {
    enum Due: Equatable {
        case handshakeTimeout, settingsTimeout, headerTimeout, age, noticeTimeout, graceOver
        case lingerOver, stallCheck, idle, ping, keepaliveTimeout
    }

    enum Phase: UInt8 {
        /// Before the client's SETTINGS.
        case handshaking
        case open
        /// The first GOAWAY has gone: the client stops opening streams when it hears it.
        case noticed
        /// The last GOAWAY has gone: what runs finishes.
        case leaving
        /// FIN has gone: the client reads the rest.
        case lingering
    }

    static let never = UInt64.max

    private(set) var phase = Phase.handshaking
    private var phaseEnd = never
    private var settingsEnd = never
    private var headerEnd = never
    private var stallCheckAt = never
    private var idleEnd = never
    private var keepaliveAt = never
    private var awaitsPong = false
    private var pongEnd = never
    private var hasHeard = false
    /// When the client last said anything.
    private(set) var lastRead: UInt64

    init(now: UInt64, _ configuration: ServerConfiguration) {
        lastRead = now
        phaseEnd = ConnectionClock.add(now, configuration.handshakeTimeout)
    }

    static func add(_ now: UInt64, _ duration: Duration?) -> UInt64 {
        guard let duration else { return never }
        return now &+ UInt64(max(0, duration.milliseconds))
    }

    /// The earliest moment at which something is due.
    var next: UInt64 {
        min(
            min(phaseEnd, settingsEnd, headerEnd), min(stallCheckAt, idleEnd, keepaliveAt))
    }

    // MARK: Events

    @inline(__always)
    mutating func didRead(at now: UInt64) {
        lastRead = now
        hasHeard = true
    }

    /// - Parameter random: 0 ..< 1, spreads the ends of connections that began together (A9).
    mutating func didReceiveSettings(
        at now: UInt64, isAcknowledged: Bool, random: Double, _ configuration: ServerConfiguration
    ) {
        guard phase == .handshaking else { return }
        phase = .open
        keepaliveAt = ConnectionClock.add(lastRead, configuration.keepaliveTime)
        phaseEnd = ConnectionClock.add(
            now, configuration.maxConnectionAge.map { $0 * (0.9 + 0.2 * random) })
        if !isAcknowledged { settingsEnd = ConnectionClock.add(now, configuration.settingsTimeout) }
        didEndStreams(at: now, configuration)
    }

    mutating func didReceiveSettingsAcknowledgement() {
        settingsEnd = ConnectionClock.never
    }

    var awaitsSettingsAcknowledgement: Bool { settingsEnd != ConnectionClock.never }

    /// A read ended inside or outside a header block.
    mutating func headerBlock(
        isOpen: Bool, at now: UInt64, _ configuration: ServerConfiguration
    ) {
        if !isOpen {
            headerEnd = ConnectionClock.never
        } else if headerEnd == ConnectionClock.never {
            headerEnd = ConnectionClock.add(now, configuration.headerTimeout)
        }
    }

    var isInHeaderBlock: Bool { headerEnd != ConnectionClock.never }

    @inline(__always)
    mutating func didOpenStream(_ configuration: ServerConfiguration) {
        idleEnd = ConnectionClock.never
        if stallCheckAt == ConnectionClock.never {
            scheduleStallCheck(from: lastRead, configuration)
        }
    }

    private mutating func scheduleStallCheck(
        from now: UInt64, _ configuration: ServerConfiguration
    ) {
        stallCheckAt = ConnectionClock.add(now, configuration.sendStallTimeout / 2)
    }

    /// The last open stream has ended.
    mutating func didEndStreams(at now: UInt64, _ configuration: ServerConfiguration) {
        guard phase == .open else { return }
        idleEnd = ConnectionClock.add(now, configuration.maxConnectionIdle)
    }

    // MARK: Leaving

    /// The first GOAWAY and a ping have gone.
    mutating func didNotice(at now: UInt64) {
        phase = .noticed
        idleEnd = ConnectionClock.never
        phaseEnd = now + 1000
    }

    /// The last GOAWAY has gone.
    mutating func didLeave(at now: UInt64, grace: Duration?) {
        phase = .leaving
        idleEnd = ConnectionClock.never
        phaseEnd = ConnectionClock.add(now, grace)
    }

    mutating func didShutdown(at now: UInt64, linger: Duration) {
        phase = .lingering
        phaseEnd = ConnectionClock.add(now, linger)
    }

    // MARK: The timer

    /// What is due, one thing after the other until nil.
    mutating func due(
        at now: UInt64, hasStreams: Bool, _ configuration: ServerConfiguration
    ) -> Due? {
        if phaseEnd <= now {
            phaseEnd = ConnectionClock.never
            switch phase {
            case .handshaking: return .handshakeTimeout
            case .open: return .age
            case .noticed: return .noticeTimeout
            case .leaving: return .graceOver
            case .lingering: return .lingerOver
            }
        }
        if ConnectionClock.take(&settingsEnd, now) { return .settingsTimeout }
        if ConnectionClock.take(&headerEnd, now) { return .headerTimeout }
        if ConnectionClock.take(&stallCheckAt, now) {
            if hasStreams { scheduleStallCheck(from: now, configuration) }
            return .stallCheck
        }
        if ConnectionClock.take(&idleEnd, now) { return .idle }
        return keepaliveAt <= now ? keepalive(now, configuration) : nil
    }

    private static func take(_ time: inout UInt64, _ now: UInt64) -> Bool {
        guard time <= now else { return false }
        time = ConnectionClock.never
        return true
    }

    private mutating func keepalive(
        _ now: UInt64, _ configuration: ServerConfiguration
    ) -> Due? {
        if awaitsPong, !hasHeard {
            guard now < pongEnd else {
                keepaliveAt = ConnectionClock.never
                return .keepaliveTimeout
            }
            keepaliveAt = min(pongEnd, ConnectionClock.add(now, configuration.keepaliveTime))
            return nil
        }
        awaitsPong = false
        let due = ConnectionClock.add(lastRead, configuration.keepaliveTime)
        guard due <= now else {
            keepaliveAt = due
            return nil
        }
        awaitsPong = true
        hasHeard = false
        pongEnd = ConnectionClock.add(now, configuration.keepaliveTimeout)
        // An answer that comes soon counts the time anew.
        keepaliveAt = min(pongEnd, ConnectionClock.add(now, configuration.keepaliveTime))
        return .ping
    }
}
