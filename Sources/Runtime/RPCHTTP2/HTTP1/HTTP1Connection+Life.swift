import HTTP1
import HTTP2
import Loop
import RPC

/// How a connection ages and ends. One timer serves every limit.
extension HTTP1Connection {
    static func ageEnd(_ now: UInt64, _ configuration: ServerConfiguration) -> UInt64 {
        let age = configuration.maxConnectionAge.map { $0 * .random(in: 0.9..<1.1) }
        return ConnectionClock.add(now, age)
    }

    func enter(_ next: Phase) {
        phase = next
        since = loop.milliseconds
    }

    /// What the present phase may last; nil is for ever.
    private var patience: Duration? {
        if socket.queuedBytes > 0 { return configuration.sendStallTimeout }
        switch phase {
        case .idle where !hasServed: return configuration.handshakeTimeout
        case .idle:
            return min(
                configuration.web.keepAliveTimeout,
                configuration.maxConnectionIdle ?? configuration.web.keepAliveTimeout)
        case .head: return configuration.headerTimeout
        case .exchange: return waitsForBody ? configuration.web.bodyTimeout : nil
        case .lingering: return .seconds(1)
        case .closed: return nil
        }
    }

    func startTimer() {
        timer.start(on: loop) { [self] in tick() }
        arm()
    }

    /// Sees to it that the timer fires in time.
    func arm() {
        timer.arm(min(ConnectionClock.add(since, patience), ageEnd), on: loop)
    }

    private func tick() {
        timer.fired()
        let now = loop.milliseconds
        if socket.queuedBytes < lastQueued {
            lastQueued = socket.queuedBytes
            since = now
        }
        if ConnectionClock.add(since, patience) <= now { lostPatience() }
        if ageEnd <= now { age(now) }
        if phase != .closed { arm() }
    }

    private func age(_ now: UInt64) {
        guard !isLeaving else {
            ageEnd = ConnectionClock.never
            return abort(
                RPCError(.unavailable, "the connection is too old and the call ran on"))
        }
        ageEnd = ConnectionClock.add(now, configuration.maxConnectionAgeGrace)
        leave(.age)
    }

    private func lostPatience() {
        if socket.queuedBytes > 0 {
            return fail(.stalled, "the client read nothing for \(configuration.sendStallTimeout)")
        }
        switch phase {
        case .idle where !hasServed:
            fail(.handshake, "no request within \(configuration.handshakeTimeout)")
        case .idle:
            end = .idle
            close()
        case .head:
            note(.abuse, "a request's head took longer than \(configuration.headerTimeout)")
            server.metrics?.abuse(.slowHeaders)
            let response = HTTPResponse(status: .requestTimeout)
            send(HTTPResponseEncoder.forBrokenRequest.encode(response, date: date()))
            linger()
        case .exchange:
            note(.stalled, "nothing of a request's body for \(configuration.web.bodyTimeout)")
            abort(RPCError(.deadlineExceeded, "the request's body did not come", blame: .peer))
        case .lingering: socket.close()
        case .closed: break
        }
    }

    // MARK: Leaving

    /// What runs is answered, with `Connection: close`; nothing new begins.
    func leave(_ cause: ConnectionEnd) {
        guard !isLeaving, phase != .lingering, phase != .closed else { return }
        isLeaving = true
        end = cause
        if phase == .idle { linger() }
    }

    func abort(_ error: RPCError) {
        guard phase != .lingering, phase != .closed else { return }
        isLeaving = true
        if let call = web?.call, !call.isOver { call.fail(error) }
        linger()
    }

    /// FIN behind what is on its way, and then the client's: closing with its bytes unread would
    /// reset the connection and could destroy the answer (RFC 9112 §9.6).
    func linger() {
        guard phase != .lingering, phase != .closed else { return }
        enter(.lingering)
        planFlush()
        endCall()
    }

    /// Remembers, and tells whoever reads the log, why the connection ends.
    func note(_ cause: ConnectionEnd, _ text: String) {
        end = cause
        if cause.isRemarkable { server.connectionFailed(self, text) }
    }

    private func fail(_ cause: ConnectionEnd, _ text: String) {
        note(cause, text)
        close()
    }
}
