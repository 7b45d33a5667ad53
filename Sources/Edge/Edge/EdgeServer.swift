import Environment
import HTTP1
public import Lifecycle
public import Loop
public import Protobuf
public import Telemetry
import WebSocket

/// The house's front door on one loop: JSON routes read from the contracts, WebSockets that follow
/// events, the pages, `/health` and `/metrics`.
///
///     socket ─ HTTPConnection ─ Gateway ─ RouteTable, Transcoder ─ Channel ─ service
///                    └ upgrade ─ LiveSocket ─ Hub ─ EventFeed ─ Notification.Subscribe
///
/// It knows contracts and channels; it does not know any service, nor how a session is stored.
/// Everything in it is confined to `loop`.
public final class EdgeServer: Service, @unchecked Sendable {  // confined to `loop`, asserted
    public let configuration: EdgeConfiguration
    public let loop: EventLoop
    let gateway: Gateway
    let hub: Hub
    private let feed: EventFeed
    private let logger: Logger
    private var date = DateField()
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var ticker: LoopTimer?
    private var largeBodies = 0
    private(set) var isDraining = false
    private var whenEmpty: [() -> Void] = []

    /// - Parameters:
    ///   - pool: the contracts; every method with a `google.api.http` option becomes a route.
    ///   - isReady: what `/health` tells; called for each such request.
    /// - Throws: `ProtobufError` when a route does not fit its messages.
    public init(
        configuration: EdgeConfiguration, pool: DescriptorPool, backend: EdgeBackend,
        loop: EventLoop, logger: Logger, metrics: Metrics,
        isReady: @escaping @Sendable () -> Bool = { true }
    ) throws(ProtobufError) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        var files = StaticFiles()
        if let root = configuration.webRoot ?? StaticFiles.bundledRoot {
            if let found = StaticFiles(root: root, captcha: configuration.captcha) {
                files = found
            } else {
                logger.warning("no pages: there is no index.html", ["folder": .string(root)])
            }
        }
        gateway = try Gateway(
            configuration, pool: pool, backend: backend, files: files, logger: logger,
            metrics: metrics, isReady: isReady)
        hub = Hub(configuration, metrics: gateway.metrics)
        feed = EventFeed(hub, backend: backend, loop: loop, configuration, logger: logger)
        gateway.onSessionEnd = { [hub] id in hub.closeSockets(ofSession: id) }
    }

    /// Whether events reach this edge: the stream from Notification is open.
    public var isFollowingEvents: Bool { feed.isOpen }

    /// Takes a connection over, with the bytes of it that were read already. Loop only.
    public func accept(_ socket: any ByteStream, initialBytes: [UInt8] = []) {
        loop.preconditionInLoop()
        guard !isDraining, connections.count < configuration.maxConnections else {
            socket.close()
            return
        }
        startTicker()
        let connection = HTTPConnection(socket, self)
        connections[ObjectIdentifier(connection)] = connection
        gateway.metrics.connections.add(1)
        socket.setHandler(connection)
        if !initialBytes.isEmpty {
            initialBytes.withUnsafeBytes { connection.socketDidRead($0) }
        }
        socket.startReading()
    }

    /// Binds and accepts, for a port that only the edge uses.
    public func listen(on address: SocketAddress) async throws -> Listener {
        try await Listener.bind(address, on: loop) { [self] socket in accept(socket) }
    }

    /// Follows events and watches sessions until its task is cancelled; then drains.
    public func run() async throws {
        try? await loop.run { [self] in
            await withTaskGroup { group in
                group.addTask(executorPreference: loop) { await self.feed.run() }
                group.addTask(executorPreference: loop) { await self.watchSessions() }
                await group.waitForAll()
            }
        }
        await drain(grace: configuration.drainGrace)
    }

    /// Takes no more requests, lets those in progress finish, closes WebSockets with 1001; what is
    /// left after `grace` is cut off. Works in a cancelled task too.
    public func drain(grace: Duration) async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            loop.execute { [self] in beginDrain(grace) { done.resume() } }
        }
    }

    private func beginDrain(_ grace: Duration, _ done: @escaping () -> Void) {
        isDraining = true
        for connection in connections.values { connection.drain() }
        hub.closeAll(.goingAway, "the server restarts")
        whenEmpty.append(done)
        guard !finishIfEmpty() else { return }
        _ = loop.schedule(after: grace) { [self] in
            for connection in connections.values { connection.abort() }
            hub.abortAll()
            _ = finishIfEmpty(force: true)
        }
    }

    @discardableResult
    private func finishIfEmpty(force: Bool = false) -> Bool {
        guard isDraining, force || connections.isEmpty && hub.isEmpty else { return false }
        ticker?.cancel()
        ticker = nil
        let waiting = whenEmpty
        whenEmpty = []
        for body in waiting { body() }
        return true
    }

    // MARK: For connections

    /// Makes room for a large body; false when as many as allowed are arriving. Loop only.
    func beginLargeBody() -> Bool {
        guard largeBodies < configuration.maxLargeBodies else { return false }
        largeBodies += 1
        return true
    }

    func endLargeBody() { largeBodies -= 1 }

    func closed(_ connection: HTTPConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        gateway.metrics.connections.add(-1)
        finishIfEmpty()
    }

    func dateField() -> String { date.value(at: Instant.now().secondsSinceEpoch) }

    /// What every answer carries.
    func finishFields(of response: inout HTTPResponse, _ request: HTTPHeaders, _ id: String) {
        try? response.headers.add("x-request-id", id)
        response.headers.add(literal: "x-content-type-options", "nosniff")
        if !response.headers.contains("access-control-allow-origin") {
            gateway.origins.addFields(for: request, to: &response)
        }
    }

    /// The access log: no path, query or address, which may name people.
    func log(
        _ method: String, _ label: String, _ status: HTTPStatus, _ bytes: Int,
        _ request: EdgeRequest
    ) {
        let duration = request.arrived.duration(to: .now())
        gateway.metrics.answered(label, status, duration)
        logger.info(
            "request",
            [
                "method": .string(method), "route": .string(label),
                "status": .int(Int64(status.rawValue)), "duration_ms": LogValue(duration),
                "bytes": .int(Int64(bytes)), "request_id": .string(request.id),
            ])
    }

    // MARK: WebSockets

    /// Decides about an upgrade while it can still be refused with a status (B-03, B-10, X-45).
    func admit(
        _ request: EdgeRequest, isAdmin: Bool
    ) async throws(EdgeFailure) -> Admission {
        let headers = request.head.headers
        let verdict = gateway.origins.verdict(headers)
        if case .foreign = verdict { throw .foreignOrigin }
        var session: (id: String, session: EdgeSession)?
        if isAdmin {
            session = try await gateway.signedIn(headers)
            // Browsers always send Origin; a cookie without one is nobody we know.
            if case .absent = verdict, gateway.cookie.value(of: headers) != nil {
                throw .foreignOrigin
            }
        }
        guard hub.mayOpen(request.address) else { throw .rateLimited(retryAfter: 10) }
        guard !isDraining else { throw .unavailable("the server restarts") }
        do throws(WebSocketHandshake.Rejection) {
            let handshake = try WebSocketHandshake(
                method: request.head.method.rawValue, isHTTP11: request.head.version == .http11
            ) { headers.all($0) }
            return Admission(handshake: handshake, session: session)
        } catch {
            var failure = EdgeFailure(
                HTTPStatus(rawValue: error.status),
                error.status == 426 ? "UPGRADE_REQUIRED" : "MALFORMED_REQUEST", error.message)
            failure.fields = error.headers.map { ($0.name, $0.value) }
            throw failure
        }
    }

    func open(
        _ socket: any ByteStream, _ admission: Admission, address: String, _ remaining: [UInt8]
    ) {
        let live = LiveSocket(
            socket, hub, configuration, session: admission.session, address: address)
        live.onClosed = { [self] in finishIfEmpty() }
        live.begin(remaining)
    }

    /// Asks again about the sessions of open admin sockets.
    private func watchSessions() async {
        while (try? await loop.sleep(for: configuration.sessionRecheck)) != nil {
            for id in hub.sessionIDs {
                do {
                    if let session = try await gateway.sessions.verified(id) {
                        hub.renew(session: id, session)
                    } else {
                        hub.closeSockets(ofSession: id)
                    }
                } catch {
                    // Nobody can say now; the expiry that is known still counts.
                    continue
                }
            }
        }
    }

    // MARK: Time

    private func startTicker() {
        guard ticker == nil, !isDraining else { return }
        let shortest =
            [
                configuration.headerTimeout, configuration.requestTimeout,
                configuration.idleTimeout,
                configuration.writeTimeout,
                .nanoseconds(Int64(clamping: configuration.heartbeat.interval)),
                .nanoseconds(Int64(clamping: configuration.heartbeat.timeout)),
            ].min() ?? .seconds(1)
        let period = min(max(shortest / 4, .milliseconds(20)), .seconds(1))
        ticker = loop.schedule(every: period) { [unowned self] in tick() }
    }

    private func tick() {
        let now = Deadline.now()
        for connection in connections.values { connection.check(now) }
        hub.check(now)
    }
}
