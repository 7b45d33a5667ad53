import Environment
public import Loop
public import RPC
import Synchronization
public import TLS
public import Telemetry

/// Serves a router's methods as gRPC over HTTP/2, and as gRPC-Web and Connect over HTTP/2 and
/// HTTP/1.1, on sockets that somebody accepted (`accept`) or on ports of its own (`listen`). Calls
/// run on the loop of their connection.
public final class RPCServer: Sendable {
    /// What `drain` found.
    public struct DrainReport: Sendable {
        public var connections = 0
        /// Calls that were running when the drain began.
        public var running: [RunningCall] = []
        /// Calls that had not ended within the grace and were cancelled.
        public var cancelled: [RunningCall] = []
    }

    public let configuration: ServerConfiguration
    let table: MethodTable
    let metrics: ServerMetrics?
    private let logger: Logger
    let roster: ServerRoster
    private let failures = Mutex(FailureLog())

    /// - Parameter router: frozen from now on.
    public init(
        router: Router, configuration: ServerConfiguration = ServerConfiguration(),
        logger: Logger = Logger(label: "rpc-server"), metrics: Metrics? = nil
    ) {
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics.map { ServerMetrics($0) }
        table = router.table
        roster = ServerRoster(configuration.channelz)
    }

    deinit {
        roster.leave()
    }

    /// Takes over a connected socket on which the client will speak TLS.
    public func accept(
        _ socket: any ByteStream, initialBytes: [UInt8] = [], tls: TLSServerContext
    ) {
        do {
            accept(try TLSStream(socket, tls, initialBytes: initialBytes))
        } catch {
            logger.error("TLS cannot be used", ["cause": .string("\(error)")])
            socket.close()
        }
    }

    /// Takes over a connected socket, on its loop. `initialBytes` were read from it already.
    public func accept(_ socket: any ByteStream, initialBytes: [UInt8] = []) {
        socket.loop.preconditionInLoop()
        let connection = ServerConnection(socket, self)
        switch roster.state.withLock({ $0.admit(connection, configuration) }) {
        case .accepted:
            metrics?.opened.add(1)
            metrics?.connections.add(1)
            connection.start(initialBytes)
        case .full:
            metrics?.opened.add(1)
            metrics?.closed(.limit)
            logger.warning(
                "connection refused",
                ["peer": .string(connection.peer.address), "cause": "too many connections"])
            RefusedConnection(socket).start()
        case .draining:
            socket.close()
        }
    }

    /// Listens on an address of its own until `drain`; the listener keeps the server alive.
    /// - Parameter tls: clients have to speak TLS; its files are watched for changes.
    /// - Throws: `LoopError` (EADDRINUSE, …).
    @discardableResult
    public func listen(
        on address: SocketAddress, loop: EventLoop, reusePort: Bool = false,
        tls: TLSServerContext? = nil
    ) async throws -> Listener {
        let listener = try await Listener.bind(address, on: loop, reusePort: reusePort) {
            socket in
            if let tls { self.accept(socket, tls: tls) } else { self.accept(socket) }
        }
        if let tls { CertificateWatch(tls, listener, logger).start() }
        roster.state.withLock { $0.listeners.append(listener) }
        noteListener(at: listener.address)
        return listener
    }

    /// Tells channelz of a listener that is not the server's own and hands connections to `accept`.
    public func noteListener(at address: SocketAddress) {
        roster.listens(at: address)
    }

    /// The calls that run now, by connection. Any thread.
    public func runningCalls() async -> [RunningCall] {
        await runningCalls { $0.runningCalls() }
    }

    private func runningCalls(
        _ ask: @escaping @Sendable (any ServedConnection) -> [RunningCall]
    ) async -> [RunningCall] {
        var calls: [RunningCall] = []
        for (loop, connections) in roster.state.withLock({ $0.connectionsByLoop }) {
            calls += (try? await loop.submit { connections.flatMap(ask) }) ?? []
        }
        return calls
    }

    /// Ends gracefully: no new connections, GOAWAY twice, running calls finish. Returns when the
    /// last connection has closed, or after `grace`, when the rest is cancelled (their clients
    /// get UNAVAILABLE). Cancelling the caller ends the grace.
    public func drain(grace: Duration = .seconds(10)) async -> DrainReport {
        var report = DrainReport()
        let (connections, listeners) = roster.state.withLock { state in
            state.isDraining = true
            defer { state.listeners = [] }
            roster.log("draining", &state)
            state.listening = []
            return (state.connections.count, state.listeners)
        }
        for listener in listeners { await listener.close() }
        report.connections = connections
        report.running = await runningCalls { connection in
            defer { connection.leave(.drain) }
            return connection.runningCalls()
        }
        await waitUntilEmpty(atMost: grace)
        report.cancelled = await runningCalls { connection in
            let calls = connection.runningCalls()
            connection.abort(RPCError(.unavailable, "the server is shutting down"))
            return calls
        }
        // The last words are on their way; who does not read them is cut off.
        await Task { await waitUntilEmpty(atMost: .seconds(1)) }.value
        return report
    }

    private func waitUntilEmpty(atMost grace: Duration) async {
        let (ends, continuation) = AsyncStream.makeStream(of: Never.self)
        let loop = roster.state.withLock { state -> EventLoop? in
            if !state.connections.isEmpty { state.waiters.append(continuation) }
            return state.connections.values.first?.loop
        }
        guard let loop else { return }
        await withTaskGroup { group in
            group.addTask { for await _ in ends {} }
            group.addTask { try? await loop.sleep(for: grace) }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: For connections

    func connection(_ old: ServerConnection, continuesAs new: HTTP1Connection) {
        if roster.state.withLock({ $0.replace(old, new) }) { new.leave(.drain) }
    }

    func connectionDidClose(_ connection: any ServedConnection) {
        guard roster.state.withLock({ $0.remove(connection) }) else { return }
        metrics?.connections.add(-1)
        metrics?.closed(connection.end)
    }

    func connectionFailed(_ connection: any ServedConnection, _ cause: String) {
        let now = connection.loop.milliseconds
        guard let untold = failures.withLock({ $0.admit(at: now) }) else { return }
        logger.warning(
            "connection failed",
            [
                "peer": .string(connection.peer.address), "cause": .string(cause),
                "untold": .int(Int64(untold)),
            ])
    }
}
