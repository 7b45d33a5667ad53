import Environment
public import Loop
public import RPC
import Synchronization
public import Telemetry

/// Serves a router's methods as gRPC over HTTP/2, on sockets that somebody accepted (`accept`) or
/// on ports of its own (`listen`). Calls run on the loop of their connection.
public final class RPCServer: Sendable {
    /// What `drain` found.
    public struct DrainReport: Sendable {
        public var connections = 0
        /// Calls that were running when the drain began.
        public var openCalls = 0
        /// Calls that had not ended within the grace and were cancelled.
        public var cancelledCalls = 0
    }

    private struct State {
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var listeners: [Listener] = []
        var isDraining = false
    }

    public let configuration: ServerConfiguration
    let table: MethodTable
    private let logger: Logger
    private let state = Mutex(State())
    private let handled: [Counter]
    private let connectionGauge: Gauge?

    /// - Parameter router: frozen from now on.
    public init(
        router: Router, configuration: ServerConfiguration = ServerConfiguration(),
        logger: Logger = Logger(label: "rpc-server"), metrics: Metrics? = nil
    ) {
        self.configuration = configuration
        self.logger = logger
        table = router.table
        handled =
            metrics.map { metrics in
                (0...16).map { code in
                    metrics.counter(
                        "grpc_server_handled_total", help: "Calls that ended, by status.",
                        labels: [("grpc_code", RPCError.Code(rawValue: Int32(code)).name)])
                }
            } ?? []
        connectionGauge = metrics?.gauge(
            "grpc_server_connections", help: "Open HTTP/2 connections.")
    }

    /// Takes over a connected socket, on its loop. `initialBytes` were read from it already.
    public func accept(_ socket: any ByteStream, initialBytes: [UInt8] = []) {
        socket.loop.preconditionInLoop()
        let connection = ServerConnection(socket, self)
        let accepted = state.withLock { state in
            if state.isDraining { return false }
            state.connections[ObjectIdentifier(connection)] = connection
            return true
        }
        guard accepted else { return socket.close() }
        connectionGauge?.add(1)
        connection.start(initialBytes)
    }

    /// Listens on an address of its own until `drain`; the listener keeps the server alive.
    /// - Throws: `LoopError` (EADDRINUSE, …).
    @discardableResult
    public func listen(
        on address: SocketAddress, loop: EventLoop, reusePort: Bool = false
    ) async throws -> Listener {
        let listener = try await Listener.bind(address, on: loop, reusePort: reusePort) {
            socket in self.accept(socket)
        }
        state.withLock { $0.listeners.append(listener) }
        return listener
    }

    /// Ends gracefully: no new connections, GOAWAY twice, running calls finish. Returns when the
    /// last one has, or after `grace`, when the rest is cancelled. Cancelling the caller ends the
    /// grace.
    public func drain(grace: Duration = .seconds(10)) async -> DrainReport {
        var report = DrainReport()
        let (connections, listeners) = state.withLock { state in
            state.isDraining = true
            defer { state.listeners = [] }
            return (Array(state.connections.values), state.listeners)
        }
        for listener in listeners { await listener.close() }
        report.connections = connections.count
        for connection in connections {
            let open = try? await connection.loop.submit {
                connection.beginDrain()
                return connection.openCalls
            }
            report.openCalls += open ?? 0
        }
        guard let loop = connections.first?.loop else { return report }
        let end = Deadline.after(grace)
        while !end.hasPassed, !state.withLock({ $0.connections.isEmpty }) {
            do { try await loop.sleep(for: .milliseconds(10)) } catch { break }
        }
        for connection in state.withLock({ Array($0.connections.values) }) {
            let open = try? await connection.loop.submit {
                defer { connection.abort() }
                return connection.openCalls
            }
            report.cancelledCalls += open ?? 0
        }
        return report
    }

    // MARK: For connections

    func connectionDidClose(_ connection: ServerConnection) {
        let removed = state.withLock {
            $0.connections.removeValue(forKey: ObjectIdentifier(connection))
        }
        if removed != nil { connectionGauge?.add(-1) }
    }

    func connectionFailed(_ connection: ServerConnection, _ cause: String) {
        logger.warning(
            "connection failed",
            ["peer": .string(connection.peer.address), "cause": .string(cause)])
    }

    func count(_ error: RPCError?) {
        if handled.isEmpty { return }
        let code = Int(error?.code.rawValue ?? 0)
        handled[code >= 0 && code < 17 ? code : 2].add(1)
    }
}
