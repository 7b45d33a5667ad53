import Environment
import RPC

/// The last things that happened to a channel, a subchannel or a server.
struct ChannelzTrace {
    typealias Event = ChannelzV1.ChannelTraceEvent

    /// Events that are kept; of the older ones only their number is known.
    static let limit = 32

    private let creation: Instant
    private var logged: Int64 = 0
    /// A ring once it is full.
    private var events: [Event] = []

    init(at creation: Instant) {
        self.creation = creation
    }

    mutating func add(
        _ text: String, at instant: Instant, _ severity: Event.Severity = .ctInfo,
        child: Event.OneOfChildRef? = nil
    ) {
        var event = Event()
        event.description = text
        event.severity = severity
        event.timestamp = .init(instant)
        event.childRef = child
        if events.count < ChannelzTrace.limit {
            events.append(event)
        } else {
            events[Int(logged) % ChannelzTrace.limit] = event
        }
        logged += 1
    }

    var message: ChannelzV1.ChannelTrace {
        let oldest = events.count < ChannelzTrace.limit ? 0 : Int(logged) % ChannelzTrace.limit
        var message = ChannelzV1.ChannelTrace()
        message.numEventsLogged = logged
        message.creationTimestamp = .init(creation)
        message.events = Array(events[oldest...] + events[..<oldest])
        return message
    }
}
