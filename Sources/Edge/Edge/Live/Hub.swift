import Environment
import Protobuf
import Schema
import Telemetry
import WebSocket

/// Who hears what: open sockets, and an index from (dimension, value) to subscriptions, so that an
/// event costs what its readers cost. Loop only.
final class Hub: @unchecked Sendable {  // confined to the edge's loop
    /// The one topic of A-24.
    static let topic = "availability"

    private let configuration: EdgeConfiguration
    private let metrics: EdgeMetrics
    private var sockets: [ObjectIdentifier: LiveSocket] = [:]
    private var socketsOfAddress: [String: Int] = [:]
    private var filtered: [FilterKey: [ObjectIdentifier: Subscription]] = [:]
    private var topical: [ObjectIdentifier: Subscription] = [:]
    private var everything: [ObjectIdentifier: Subscription] = [:]
    private var generation: UInt64 = 0

    init(_ configuration: EdgeConfiguration, metrics: EdgeMetrics) {
        self.configuration = configuration
        self.metrics = metrics
    }

    var isEmpty: Bool { sockets.isEmpty }

    // MARK: Sockets

    func mayOpen(_ address: String) -> Bool {
        configuration.maxSocketsPerAddress <= 0
            || socketsOfAddress[address, default: 0] < configuration.maxSocketsPerAddress
    }

    func add(_ socket: LiveSocket) {
        sockets[ObjectIdentifier(socket)] = socket
        socketsOfAddress[socket.address, default: 0] += 1
        (socket.isAdmin ? metrics.adminSockets : metrics.publicSockets).add(1)
    }

    func remove(_ socket: LiveSocket) {
        guard sockets.removeValue(forKey: ObjectIdentifier(socket)) != nil else { return }
        let left = socketsOfAddress[socket.address, default: 1] - 1
        socketsOfAddress[socket.address] = left == 0 ? nil : left
        (socket.isAdmin ? metrics.adminSockets : metrics.publicSockets).add(-1)
    }

    func check(_ now: Deadline) {
        let instant = Instant.now()
        for socket in sockets.values { socket.check(now, instant) }
    }

    func closeAll(_ code: WebSocketCloseCode, _ reason: String) {
        for socket in sockets.values { socket.close(code, reason) }
    }

    func abortAll() {
        for socket in sockets.values { socket.abort() }
    }

    // MARK: Sessions

    var sessionIDs: Set<String> { Set(sockets.values.compactMap(\.sessionID)) }

    func closeSockets(ofSession id: String) {
        for socket in sockets.values where socket.sessionID == id {
            socket.close(.unauthenticated, "the session is over")
        }
    }

    func renew(session id: String, _ session: EdgeSession) {
        for socket in sockets.values where socket.sessionID == id {
            socket.sessionExpiresAt = session.expiresAt
        }
    }

    // MARK: Subscriptions

    func add(_ subscription: Subscription) {
        let id = ObjectIdentifier(subscription)
        switch subscription.scope {
        case .all: everything[id] = subscription
        case .topic: topical[id] = subscription
        case .filter(let filter):
            for key in filter.keys { filtered[key, default: [:]][id] = subscription }
        }
    }

    func remove(_ subscription: Subscription) {
        let id = ObjectIdentifier(subscription)
        switch subscription.scope {
        case .all: everything[id] = nil
        case .topic: topical[id] = nil
        case .filter(let filter):
            for key in filter.keys {
                filtered[key]?[id] = nil
                if filtered[key]?.isEmpty == true { filtered[key] = nil }
            }
        }
    }

    // MARK: Events

    /// Hands an event to everyone who asked for it, each view at most once a socket.
    func publish(_ event: LiveEvent) {
        generation += 1
        metrics.events.add(1)
        var sent = 0
        for subscription in everything.values {
            sent += deliver(event, .admin, to: subscription.socket)
        }
        for key in event.keys {
            guard let subscriptions = filtered[key] else { continue }
            for subscription in subscriptions.values {
                guard case .filter(let filter) = subscription.scope,
                    filter.hasOneDimension || filter.matches(event.keys)
                else { continue }
                let socket = subscription.socket
                if socket.marks[LiveEvent.View.admin.rawValue] != generation {
                    sent += deliver(event, .filtered, to: socket)
                }
                if key.dimension == .room { sent += deliver(event, .room, to: socket) }
            }
        }
        for subscription in topical.values {
            sent += deliver(event, .broadcast, to: subscription.socket)
        }
        if sent > 0 { metrics.frames.add(sent) }
    }

    private func deliver(_ event: LiveEvent, _ view: LiveEvent.View, to socket: LiveSocket) -> Int {
        guard socket.marks[view.rawValue] != generation, let frame = event.frame(view) else {
            return 0
        }
        socket.marks[view.rawValue] = generation
        socket.send(frame, key: event.coalescingKey(view))
        return 1
    }

    /// Tells everyone that events may be missing: fetch anew.
    func resync() {
        let message: JSONValue = [
            "type": "resync", "timestamp": .string(Instant.now().rfc3339),
        ]
        let frame = WebSocketFrameEncoder.text(message.encoded())
        for socket in sockets.values { socket.send(frame, key: "resync") }
    }

    func socketWasSlow() {
        metrics.slowSockets.add(1)
    }

    func feedBroke() {
        metrics.feedBreaks.add(1)
    }
}
