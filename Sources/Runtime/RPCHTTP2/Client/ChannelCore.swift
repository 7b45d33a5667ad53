import HTTP2
import Loop
import RPC

/// The state of a channel, confined to its loop: one connection, who waits for it, and when to
/// try again. `HTTP2Channel` is its front for other threads.
final class ChannelCore: @unchecked Sendable {
    private enum State {
        case idle
        case connecting
        case ready(ClientConnection)
        /// The last attempt failed; calls that do not wait fail with it.
        case waiting(RPCError)
        case closed
    }

    let loop: EventLoop
    let configuration: ChannelConfiguration
    let authority: String
    private let target: ChannelTarget
    private var state = State.idle
    private var pending: [ClientStream] = []
    private var pendingHead = 0
    private var fields: RequestFields
    private var backoff: Backoff
    private var attempt: Task<Void, Never>?
    /// Set while the streams of a lost connection are closed: why.
    var losing: RPCError?

    init(target: ChannelTarget, loop: EventLoop, configuration: ChannelConfiguration) {
        self.target = target
        self.loop = loop
        self.configuration = configuration
        authority = configuration.authority ?? target.authority
        fields = RequestFields(
            authority: authority, userAgent: configuration.userAgent,
            compression: configuration.compression)
        backoff = Backoff(configuration)
    }

    // MARK: Calls

    /// Sends the call, or keeps it until it can be sent.
    func open(_ stream: ClientStream) {
        switch state {
        case .ready(let connection) where connection.hasRoom && pendingHead == pending.count:
            send(stream, on: connection)
        case .ready, .connecting:
            wait(stream)
        case .idle:
            wait(stream)
            connect()
        case .waiting(let error):
            if stream.waitForReady { wait(stream) } else { stream.call.end(error) }
        case .closed:
            stream.call.end(RPCError(.unavailable, "the channel was closed", blame: .caller))
        }
    }

    private func wait(_ stream: ClientStream) {
        guard pending.count - pendingHead < configuration.maxPendingCalls else {
            return stream.call.end(
                RPCError(
                    .resourceExhausted,
                    "\(configuration.maxPendingCalls) calls wait for \(authority) already",
                    blame: .caller))
        }
        stream.isPending = true
        pending.append(stream)
    }

    private func send(_ stream: ClientStream, on connection: ClientConnection) {
        guard let session = connection.session else { return wait(stream) }
        do {
            try session.request(
                stream, fields.make(stream.call, stream.metadata, stream.compression))
        } catch {
            stream.call.end(
                RPCError(.unavailable, "cannot open a stream to \(authority)", cause: "\(error)"))
        }
    }

    /// Sends what waits while the connection has room.
    func pump() {
        guard pendingHead < pending.count else { return }
        while case .ready(let connection) = state, connection.hasRoom, let stream = popPending() {
            send(stream, on: connection)
        }
    }

    private func popPending() -> ClientStream? {
        while pendingHead < pending.count {
            let stream = pending[pendingHead]
            pendingHead += 1
            if pendingHead > 1024 || pendingHead == pending.count {
                pending.removeFirst(pendingHead)
                pendingHead = 0
            }
            if stream.isPending {
                stream.isPending = false
                return stream
            }
        }
        return nil
    }

    /// The call ended before it was sent.
    func forget(_ stream: ClientStream) {
        stream.isPending = false
    }

    // MARK: The connection

    private func connect() {
        state = .connecting
        attempt = Task.immediate(executorPreference: loop) { [self] in
            do {
                let socket = try await dial()
                let connection = ClientConnection(socket, self)
                if case .closed = state { return socket.close() }
                state = .ready(connection)
                try connection.start()
                pump()
            } catch {
                connectFailed("\(error)")
            }
        }
    }

    private func dial() async throws -> any ByteStream {
        var last: any Error = RPCError(.unavailable, "\(authority) has no address")
        for address in try await target.addresses(on: loop) {
            do {
                return try await StreamSocket.connect(
                    to: address, on: loop, timeout: configuration.connectTimeout)
            } catch {
                last = error
            }
        }
        throw last
    }

    private func connectFailed(_ cause: String) {
        if case .closed = state { return }
        let error = RPCError(
            .unavailable, "cannot connect to \(authority): \(cause)", blame: .peer, cause: cause)
        state = .waiting(error)
        var patient: [ClientStream] = []
        while let stream = popPending() {
            if stream.waitForReady { patient.append(stream) } else { stream.call.end(error) }
        }
        for stream in patient { wait(stream) }
        _ = loop.schedule(after: backoff.delay()) { [self] in
            guard case .waiting = state else { return }
            // Nobody asks: the next call connects at once instead of a timer for ever.
            if pendingHead == pending.count { state = .idle } else { connect() }
        }
    }

    /// SETTINGS arrived: the peer is an HTTP/2 server.
    func connectionIsReady(_ connection: ClientConnection) {
        backoff.reset()
        pump()
    }

    /// GOAWAY: its calls finish there, new ones get a new connection.
    func connectionIsLeaving(_ connection: ClientConnection) {
        guard case .ready(let current) = state, current === connection else { return }
        state = .idle
        if pendingHead < pending.count { connect() }
    }

    func connectionDidClose(_ connection: ClientConnection, _ loss: RPCError) {
        guard case .ready(let current) = state, current === connection else { return }
        state = .idle
        if !connection.wasReady { return connectFailed(loss.cause ?? loss.message) }
        if pendingHead < pending.count { connect() }
    }

    /// The channel's owner has dropped it: calls that run finish, then the connection closes.
    func abandon() {
        if case .ready(let connection) = state, pendingHead == pending.count {
            state = .closed
            connection.leave()
        } else {
            close()
        }
    }

    func close() {
        if case .ready(let connection) = state { connection.close() }
        state = .closed
        attempt?.cancel()
        let error = RPCError(.unavailable, "the channel was closed", blame: .caller)
        while let stream = popPending() { stream.call.end(error) }
    }
}
