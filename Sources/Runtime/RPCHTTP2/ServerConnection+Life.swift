import Environment
import HTTP2
import Loop
import RPC
import Telemetry

/// How a connection ages and ends: timeouts, keepalive, graceful leaving.
extension ServerConnection {
    /// Of the ping behind the first GOAWAY: its answer says that the client has heard it.
    private static let noticePing: UInt64 = 0x6c65_6176_696e_6700
    private static let keepalivePing: UInt64 = 0x6a61_6e6a_6900

    // MARK: The timer

    func startTimer() {
        timer.start(on: loop) { [self] in tick() }
        arm()
    }

    /// Sees to it that the timer fires in time.
    @inline(__always)
    func arm() { timer.arm(clock.next, on: loop) }

    private func tick() {
        timer.fired()
        let now = loop.milliseconds
        guard let session else {
            let due = clock.due(at: now, hasStreams: false, configuration)
            if due == .handshakeTimeout { failHandshake() }
            return arm()
        }
        while socket.isOpen,
            let due = clock.due(at: now, hasStreams: session.openStreams > 0, configuration)
        {
            act(on: due, session)
        }
        arm()
    }

    private func act(on due: ConnectionClock.Due, _ session: HTTP2Session) {
        switch due {
        case .handshakeTimeout: failHandshake()
        case .settingsTimeout:
            note(.settings, "no acknowledgement of our SETTINGS")
            session.goaway(.settingsTimeout, debug: ConnectionEnd.settings.label)
        case .headerTimeout:
            session.refuse(.slowHeaders)
        case .age:
            leave(.age)
        case .idle:
            if session.openStreams == 0 { leave(.idle) }
        case .noticeTimeout:
            finishLeaving(session)
        case .graceOver:
            abort(RPCError(.unavailable, "the connection is too old and the call ran on"))
        case .lingerOver:
            socket.close()
        case .stallCheck:
            checkStalls(session)
        case .ping:
            guard clock.phase != .lingering else { return }
            traffic.pings += 1
            session.ping(ServerConnection.keepalivePing)
        case .keepaliveTimeout:
            fail(.keepalive, "no answer to a keepalive ping")
        }
    }

    private func failHandshake() {
        let limit = configuration.handshakeTimeout
        if let stream = socket as? TLSStream, stream.agreement == nil {
            return fail(.tls, "the TLS handshake was not over within \(limit)")
        }
        fail(.handshake, "no HTTP/2 preface and SETTINGS within \(limit)")
    }

    /// After every read: starts and ends the clocks that depend on what came.
    func watch(_ session: HTTP2Session) {
        if session.isInHeaderBlock || clock.isInHeaderBlock {
            clock.headerBlock(
                isOpen: session.isInHeaderBlock, at: clock.lastRead, configuration)
        }
        if clock.awaitsSettingsAcknowledgement, session.settingsAreAcknowledged {
            clock.didReceiveSettingsAcknowledgement()
        }
        arm()
    }

    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        clock.didReceiveSettings(
            at: loop.milliseconds, isAcknowledged: session.settingsAreAcknowledged,
            random: .random(in: 0..<1), configuration)
    }

    // MARK: Pings

    func sessionDidReceivePing(_ session: HTTP2Session) {
        let isAllowed = pings.allows(
            at: loop.milliseconds, hasCalls: session.openStreams > 0,
            hasSent: session.hasSentPayload, configuration)
        session.hasSentPayload = false
        if !isAllowed { session.refuse(.pings) }
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        if payload == ServerConnection.noticePing, clock.phase == .noticed {
            finishLeaving(session)
        }
    }

    // MARK: Stalls

    private func checkStalls(_ session: HTTP2Session) {
        if socket.queuedBytes > 0, !hasDrained {
            stallChecks += 1
            if stallChecks > 2 {
                return fail(
                    .stalled, "the client read nothing for \(configuration.sendStallTimeout)")
            }
        } else {
            stallChecks = 0
        }
        hasDrained = false
        session.forEachStream { stream in
            guard let stream = stream as? ServerStream, stream.isStalled() else { return }
            server.metrics?.stalledStreams.add(1)
            stream.cancel(RPCError(.cancelled, "the client took nothing for too long"))
        }
    }

    // MARK: Leaving

    /// Ends the connection gracefully: a GOAWAY that makes the client stop opening streams, and
    /// once it has heard that (a ping's round trip, or one second) the GOAWAY with the last
    /// stream. Calls finish; the connection closes behind the last one.
    func leave(_ cause: ConnectionEnd) {
        guard let session else {
            if clock.phase == .handshaking { fail(cause, "") }
            return
        }
        switch clock.phase {
        case .handshaking: return fail(cause, "")
        case .open: break
        case .noticed, .leaving, .lingering: return
        }
        end = cause
        session.sendShutdownNotice(ping: ServerConnection.noticePing)
        clock.didNotice(at: loop.milliseconds)
        arm()
    }

    private func finishLeaving(_ session: HTTP2Session) {
        session.goaway(.noError, debug: end.label)
        server.metrics?.goaway(end)
        clock.didLeave(
            at: loop.milliseconds,
            grace: end == .age ? configuration.maxConnectionAgeGrace : nil)
        arm()
    }

    /// Cancels what still runs, says so to the client, and closes.
    func abort(_ error: RPCError) {
        guard let session else { return socket.close() }
        guard clock.phase != .lingering else { return }
        session.forEachStream { ($0 as? ServerStream)?.cancel(error) }
        if clock.phase != .leaving { session.goaway(.noError, debug: end.label) }
        flush()
        leaveNow(session, linger: .milliseconds(200))
    }

    /// FIN, and then the client's: closing with its bytes unread would reset the connection and
    /// could destroy answers that are still on their way.
    func leaveNow(_ session: HTTP2Session, linger: Duration = .seconds(1)) {
        guard clock.phase != .lingering else { return }
        if let abuse = session.abuse {
            note(.abuse, abuse.rawValue)
            server.metrics?.abuse(abuse)
            server.metrics?.goaway(.abuse)
        }
        clock.didShutdown(at: loop.milliseconds, linger: linger)
        socket.startReading()
        socket.shutdown()
        arm()
    }

    /// Remembers, and tells whoever reads the log, why the connection ends.
    func note(_ cause: ConnectionEnd, _ text: String) {
        end = cause
        if cause.isRemarkable { server.connectionFailed(self, text) }
    }

    /// Ends the connection at once.
    func fail(_ cause: ConnectionEnd, _ text: String) {
        note(cause, text)
        socket.close()
    }

    // MARK: What runs

    func runningCalls() -> [RunningCall] {
        var calls: [RunningCall] = []
        let now = loop.milliseconds
        session?.forEachStream { stream in
            if let call = (stream as? ServerStream)?.running(at: now) { calls.append(call) }
        }
        return calls
    }
}
