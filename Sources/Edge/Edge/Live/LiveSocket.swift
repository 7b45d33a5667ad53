import Environment
import Loop
import Protobuf
import WebSocket

/// One open WebSocket: its conversation, its heartbeat, and a bounded queue.
/// Loop only.
final class LiveSocket: StreamSocketHandler, @unchecked Sendable {  // confined to the loop
    let address: String
    let sessionID: String?
    var sessionExpiresAt: Instant?
    /// The last event that this socket got in each view.
    var marks = Array(repeating: UInt64(0), count: LiveEvent.View.allCases.count)
    var onClosed: () -> Void = {}

    private let socket: any ByteStream
    private let hub: Hub
    private let configuration: EdgeConfiguration
    private let clientID = UUID.random().description
    private var parser: WebSocketFrameParser
    private var heartbeat: HeartbeatPolicy
    private var allowance: TokenBucket
    private var subscriptions: [Subscription] = []
    private var nextSubscription = 1
    private var queue = OutboundQueue()
    private var flushIsPlanned = false
    /// Set once a close frame is queued: when the peer has to have answered it.
    private var closingUntil: Deadline?
    private var peerClosed = false

    private static let closeTimeout = Duration.seconds(2)

    var isAdmin: Bool { sessionID != nil }

    init(
        _ socket: any ByteStream, _ hub: Hub, _ configuration: EdgeConfiguration,
        session: (id: String, session: EdgeSession)?, address: String
    ) {
        self.socket = socket
        self.hub = hub
        self.configuration = configuration
        self.address = address
        sessionID = session?.id
        sessionExpiresAt = session?.session.expiresAt
        parser = WebSocketFrameParser(
            role: .server, maxMessageBytes: configuration.maxSocketMessageBytes)
        let now = Deadline.now()
        heartbeat = HeartbeatPolicy(
            configuration: configuration.heartbeat, now: now.nanoseconds)
        allowance = TokenBucket(configuration.socketMessageRate, now: now)
    }

    /// Takes the socket over, greets (B-04), and reads what came behind the handshake.
    func begin(_ initialBytes: [UInt8]) {
        socket.setHandler(self)
        hub.add(self)
        var hello: [(key: String, value: JSONValue)] = [
            ("type", "connected"), ("clientId", .string(clientID)), timestamp,
        ]
        if isAdmin { hello.append(("role", "admin")) }
        reply(hello)
        if !initialBytes.isEmpty { initialBytes.withUnsafeBytes { socketDidRead($0) } }
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        parser.feed(bytes)
        do throws(WebSocketError) {
            while let event = try parser.next() {
                heartbeat.receivedFrame()
                take(event)
            }
        } catch {
            close(error.closeCode, error.message)
        }
    }

    func socketDidEnd() { socket.close() }

    func socketDidDrain() {
        if closingUntil == nil { flush() } else { finishClosing() }
    }

    func socketDidClose(_ error: (any Error)?) {
        for subscription in subscriptions { hub.remove(subscription) }
        subscriptions = []
        hub.remove(self)
        onClosed()
        onClosed = {}
    }

    // MARK: Conversation

    private func take(_ event: WebSocketEvent) {
        guard closingUntil == nil || event.isClose else { return }
        guard allowance.take(now: .now()) || event.isClose else {
            return close(.policyViolation, "too many messages")
        }
        switch event {
        case .text(let text): answer(text)
        case .binary: invalid()
        case .ping(let payload): send(WebSocketFrameEncoder.pong(payload))
        case .pong: break
        case .close(let code, _):
            peerClosed = true
            close(code ?? .normal, "")
            finishClosing()
        }
    }

    private func answer(_ text: [UInt8]) {
        guard
            let message = ClientMessage(text, maxFilterValues: configuration.maxFilterValues)
        else { return invalid() }
        switch message {
        case .ping: reply([("type", "pong"), timestamp])
        case .subscribe(let filter, let echo):
            guard let id = subscribe(.filter(filter)) else { return }
            reply([
                ("type", "subscribed"), ("filters", echo), ("subscription_id", .string(id)),
                timestamp,
            ])
        case .subscribeTopic(let topic):
            guard topic == Hub.topic else {
                return refuse("UNKNOWN_TOPIC", "The only topic is \(Hub.topic)")
            }
            guard let id = subscribe(.topic(topic)) else { return }
            reply([
                ("type", "subscribed"), ("topic", .string(topic)),
                ("subscription_id", .string(id)), timestamp,
            ])
        case .subscribeAll:
            guard isAdmin else { return refuse("FORBIDDEN", "The scope all is for staff") }
            guard let id = subscribe(.all) else { return }
            reply([
                ("type", "subscribed"), ("scope", "all"), ("subscription_id", .string(id)),
                timestamp,
            ])
        case .unsubscribe(let target): unsubscribe(target)
        }
    }

    private func subscribe(_ scope: Subscription.Scope) -> String? {
        if let known = subscriptions.first(where: { $0.scope.isSame(as: scope) }) {
            return known.id
        }
        guard subscriptions.count < configuration.maxSubscriptions else {
            refuse("TOO_MANY_SUBSCRIPTIONS", "Unsubscribe from something first")
            return nil
        }
        let subscription = Subscription(id: "s\(nextSubscription)", scope: scope, socket: self)
        nextSubscription += 1
        subscriptions.append(subscription)
        hub.add(subscription)
        return subscription.id
    }

    private func unsubscribe(_ target: ClientMessage.Target) {
        var echo: [(key: String, value: JSONValue)] = []
        let leaves: (Subscription) -> Bool
        switch target {
        case .everything: leaves = { _ in true }
        case .topic(let name):
            echo = [("topic", .string(name))]
            leaves = { $0.scope.isSame(as: .topic(name)) }
        case .subscription(let id):
            echo = [("subscription_id", .string(id))]
            leaves = { $0.id == id }
        }
        for subscription in subscriptions where leaves(subscription) { hub.remove(subscription) }
        subscriptions.removeAll(where: leaves)
        reply([("type", "unsubscribed")] + echo + [timestamp])
    }

    private func invalid() {
        refuse("INVALID_FORMAT", "Invalid format")
    }

    private func refuse(_ code: String, _ message: String) {
        reply([
            ("type", "error"), ("code", .string(code)), ("message", .string(message)), timestamp,
        ])
    }

    private var timestamp: (key: String, value: JSONValue) {
        ("timestamp", .string(Instant.now().rfc3339))
    }

    private func reply(_ members: [(key: String, value: JSONValue)]) {
        send(WebSocketFrameEncoder.text(JSONValue.object(members).encoded()))
    }

    // MARK: Sending

    /// Queues a whole frame; it leaves at the end of the turn when the socket keeps up.
    func send(_ frame: [UInt8], key: String? = nil) {
        guard closingUntil == nil else { return }
        queue.push(frame, key: key)
        if queue.bytes > configuration.maxSocketQueueBytes {
            hub.socketWasSlow()
            close(.tooSlow, "slow consumer")
        } else {
            planFlush()
        }
    }

    private func planFlush() {
        guard !flushIsPlanned else { return }
        flushIsPlanned = true
        socket.loop.atTurnEnd { [self] in
            flushIsPlanned = false
            flush()
        }
    }

    /// Nothing is handed over while the kernel has not taken the last frames: what waits here can
    /// still be replaced by newer.
    private func flush() {
        guard socket.isOpen, !queue.isEmpty, socket.queuedBytes == 0 else { return }
        socket.write(queue.take())
    }

    // MARK: The end

    /// Queues a close frame behind what the kernel has; events that wait are dropped.
    func close(_ code: WebSocketCloseCode, _ reason: String) {
        guard closingUntil == nil, socket.isOpen else { return }
        closingUntil = .after(Self.closeTimeout)
        let waiting = code == .tooSlow ? [] : queue.take()
        queue = OutboundQueue()
        socket.write(waiting + [WebSocketFrameEncoder.close(code, reason: reason)])
    }

    /// The peer has answered, or nothing is left to send.
    private func finishClosing() {
        if peerClosed, socket.queuedBytes == 0 { socket.close() }
    }

    func abort() { socket.close() }

    /// Called about once a second: heartbeat, session, stuck closings.
    func check(_ now: Deadline, _ instant: Instant) {
        if let closingUntil {
            if now >= closingUntil { socket.close() }
            return
        }
        if let sessionExpiresAt, instant >= sessionExpiresAt {
            return close(.unauthenticated, "the session is over")
        }
        switch heartbeat.check(now: now.nanoseconds) {
        case .wait: break
        case .ping: send(WebSocketFrameEncoder.ping())
        case .dead: socket.close()
        }
    }
}

extension WebSocketEvent {
    fileprivate var isClose: Bool {
        if case .close = self { true } else { false }
    }
}

extension Subscription.Scope {
    fileprivate func isSame(as other: Subscription.Scope) -> Bool {
        switch (self, other) {
        case (.all, .all): true
        case (.topic(let left), .topic(let right)): left == right
        case (.filter(let left), .filter(let right)): left == right
        default: false
        }
    }
}
