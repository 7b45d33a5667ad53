import Environment
import Loop
import RPC
import Schema
import Synchronization
import Telemetry

/// The one stream of events of this edge: opened again after every end, with the positions that
/// were seen, and everybody is told to fetch anew when something may be missing.
final class EventFeed: @unchecked Sendable {  // confined to the edge's loop but for `open`
    private let hub: Hub
    private let backend: EdgeBackend
    private let loop: EventLoop
    private let backoff: ClosedRange<Duration>
    private let logger: Logger
    private let open = Atomic<Bool>(false)
    private var positions: [Partition: Int64] = [:]
    private var recent = RecentSet<String>(capacity: 4096)
    private var wasOpen = false
    private var wasReady = false

    private struct Partition: Hashable {
        let topic: String
        let partition: Int32
    }

    init(
        _ hub: Hub, backend: EdgeBackend, loop: EventLoop, _ configuration: EdgeConfiguration,
        logger: Logger
    ) {
        self.hub = hub
        self.backend = backend
        self.loop = loop
        backoff = configuration.feedBackoff
        self.logger = logger
    }

    var isOpen: Bool { open.load(ordering: .relaxed) }

    /// Until the task is cancelled.
    func run() async {
        var pause = backoff.lowerBound
        while !Task.isCancelled {
            wasReady = false
            var reason = "the stream ended"
            do {
                try await follow()
            } catch {
                reason = "\(error)"
            }
            open.store(false, ordering: .relaxed)
            if Task.isCancelled { return }
            if wasReady {
                pause = backoff.lowerBound
                hub.feedBroke()
                logger.warning("the event stream broke", ["reason": .string(reason)])
            } else {
                logger.debug("no event stream yet", ["reason": .string(reason)])
            }
            guard (try? await loop.sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, backoff.upperBound)
        }
    }

    private func follow() async throws {
        let service = NotificationV1.NotificationMethods.subscribe.service
        guard let channel = backend.channel(service, .service) else {
            throw RPCError(.unavailable, "there is no way to \(service)")
        }
        var request = NotificationV1.SubscribeRequest()
        request.resume = positions.map { place, offset in
            var position = NotificationV1.Position()
            position.topic = place.topic
            position.partition = place.partition
            position.offset = offset
            return position
        }
        let stream = try await NotificationV1.NotificationClient(channel).subscribe(
            request, options: CallOptions(inheritsDeadline: false))
        for try await message in stream {
            switch message.kind {
            case .ready?: becameReady()
            case .gap?:
                positions = [:]
                hub.resync()
            case .delivery(let delivery)?: take(delivery)
            case nil: break
            }
        }
    }

    private func becameReady() {
        open.store(true, ordering: .relaxed)
        wasReady = true
        // Whoever connected before, or while the stream was away, may have missed something.
        hub.resync()
        if wasOpen { logger.info("the event stream is back") }
        wasOpen = true
    }

    private func take(_ delivery: NotificationV1.SubscribeResponse.Delivery) {
        if let position = delivery.position {
            // Also backwards: a log that was made anew begins at 0 again.
            positions[Partition(topic: position.topic, partition: position.partition)] =
                position.offset
        }
        // The stream is at least once: a redelivered event was shown already.
        if let id = delivery.event?.eventId, !id.isEmpty, !recent.insert(id) { return }
        guard let event = LiveEvent(delivery) else { return }
        hub.publish(event)
    }
}
