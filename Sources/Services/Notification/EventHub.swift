import Domain
import Environment
import Kafka
import RPC
import Schema
import Synchronization
public import Telemetry

/// Where the feed meets the subscribers: keeps the newest events for those who come back and gives
/// every new one to everybody it is for, once and in order. Any thread.
public final class EventHub: Sendable {
    private struct State {
        var rings: [String: TopicRing] = [:]
        var recent: RecentSet<UUID>
        var subscribers: [ObjectIdentifier: Subscriber] = [:]
        /// Who has to be told of a gap once reading goes on: what is refetched before may miss more.
        var interrupted: Set<ObjectIdentifier> = []
        var isReady = false
        var isClosed = false
    }

    private let ringLimit: TopicRing.Limit
    private let queueLimit: Subscriber.Limit
    private let state: Mutex<State>
    private let events: Counter
    private let gaps: Counter
    private let gauge: Gauge

    public convenience init(metrics: Metrics) {
        self.init(metrics: metrics, ring: TopicRing.Limit(), queue: Subscriber.Limit())
    }

    init(
        metrics: Metrics, ring: TopicRing.Limit, queue: Subscriber.Limit, recentIDs: Int = 16_384
    ) {
        ringLimit = ring
        queueLimit = queue
        state = Mutex(State(recent: RecentSet(capacity: recentIDs)))
        events = metrics.counter(
            "janji_notification_events_total", help: "Events given to subscribers' queues.")
        gaps = metrics.counter(
            "janji_notification_gaps_total", help: "Gaps told to subscribers that fell behind.")
        gauge = metrics.gauge(
            "janji_notification_subscribers", help: "Open subscriptions.")
    }

    // MARK: The feed's side

    /// From now on every event comes by.
    func becomeReady() {
        state.withLock { state in
            state.isReady = true
            for subscriber in state.subscribers.values {
                if state.interrupted.contains(ObjectIdentifier(subscriber)) {
                    subscriber.tell(gap: "reading the events was interrupted")
                }
                subscriber.release()
            }
            state.interrupted = []
        }
    }

    /// Reading was interrupted: events may be missed until the hub is ready again.
    func interrupt() {
        state.withLock { state in
            state.isReady = false
            for topic in state.rings.keys { state.rings[topic]?.forget() }
            state.interrupted.formUnion(state.subscribers.keys)
        }
    }

    /// A record that is no event: its offset is seen all the same.
    func skip(_ position: KafkaPosition) {
        state.withLock { _ = see(position, &$0) }
    }

    /// Gives an event to everybody it is for. A repeated one is passed over.
    func publish(_ item: FeedItem) {
        // Under the lock, so that nobody who joins in between misses it or gets it twice.
        let behind = state.withLock { state in
            guard see(item.position, &state) else { return 0 }
            if let id = item.eventID, !state.recent.insert(id) { return 0 }
            state.rings[item.position.topic]?.append(item)
            var behind = 0
            for subscriber in state.subscribers.values where !subscriber.offer(item) {
                behind += 1
            }
            return behind
        }
        events.add()
        if behind > 0 { gaps.add(behind) }
    }

    private func see(_ position: KafkaPosition, _ state: inout State) -> Bool {
        state.rings[position.topic, default: TopicRing(ringLimit)].see(position)
    }

    /// No more events: ends every subscription, now and later.
    func close() {
        let ended = state.withLock { state in
            state.isClosed = true
            defer { state.subscribers = [:] }
            return Array(state.subscribers.values)
        }
        for subscriber in ended { subscriber.close(Self.closed) }
        gauge.set(0)
    }

    private static let closed = DomainError(
        .upstreamUnavailable, "notifications are being shut down; subscribe again",
        retryAfter: .seconds(1), blame: .peer)

    // MARK: The subscribers' side

    /// Opens a subscription: ready, then a gap or what it missed, then what comes.
    func join(_ subscription: Subscription) -> Subscriber {
        let (subscriber, count) = state.withLock { state in
            let (backlog, gap) = Self.missed(subscription, state.rings)
            var first = [Frames.ready]
            if let gap { first.append(Frames.gap(gap)) }
            first += backlog.map { subscription.isStaff ? $0.full : $0.view }
            let subscriber = Subscriber(
                subscription, first: first, isHeld: !state.isReady, limit: queueLimit)
            if state.isClosed {
                subscriber.close(Self.closed)
            } else {
                state.subscribers[ObjectIdentifier(subscriber)] = subscriber
            }
            return (subscriber, state.subscribers.count)
        }
        gauge.set(count)
        return subscriber
    }

    func leave(_ subscriber: Subscriber) {
        let count = state.withLock { state in
            state.subscribers[ObjectIdentifier(subscriber)] = nil
            return state.subscribers.count
        }
        gauge.set(count)
    }

    /// What a subscriber that comes back has missed, and why that is not everything.
    private static func missed(
        _ subscription: Subscription, _ rings: [String: TopicRing]
    ) -> (backlog: [FeedItem], gap: String?) {
        var wanted: [String: [Int32: Int64]] = [:]
        var lost: [String] = []
        for (place, offset) in subscription.resume {
            wanted[place.topic, default: [:]][place.index] = offset
            if rings[place.topic]?.holdsAll(after: offset, of: place.index) != true {
                lost.append("\(place) after \(offset)")
            }
        }
        let backlog = wanted.keys.sorted().flatMap { topic in
            rings[topic]?.items(after: wanted[topic] ?? [:]) ?? []
        }.filter(subscription.matches)
        let gap = lost.isEmpty ? nil : "not kept any more: \(lost.sorted().joined(separator: ", "))"
        return (backlog, gap)
    }
}
