import HTTP2

/// A session's owner that answers in one of several ways and writes down what happens.
final class SessionProbe: HTTP2SessionHandler {
    struct Habits: OptionSet {
        let rawValue: UInt8

        /// The input is all that the peer sends: no preface, no SETTINGS before it.
        static let sendsRawBytes = Habits(rawValue: 1)
        static let consumes = Habits(rawValue: 2)
        static let answersAtOnce = Habits(rawValue: 4)
        static let answersWithBody = Habits(rawValue: 8)
        static let resets = Habits(rawValue: 16)
        static let refuses = Habits(rawValue: 32)
        static let leaves = Habits(rawValue: 64)
        static let largeBodies = Habits(rawValue: 128)
    }

    private let habits: Habits
    private let role: HTTP2Session.Role
    private var session: HTTP2Session?
    private var streams: [ProbeStream] = []
    private var lines: [String] = []
    private var output: [UInt8] = []
    private var isFlushing = false

    init(_ role: HTTP2Session.Role, _ habits: Habits) throws {
        self.role = role
        self.habits = habits
        session = try HTTP2Session(
            role: role, configuration: SessionProbe.configuration, handler: self)
    }

    /// Small limits, which inputs of a few hundred bytes can reach, and budgets without a clock.
    private static let configuration: HTTP2Configuration = {
        var configuration = HTTP2Configuration()
        configuration.maxConcurrentStreams = 4
        configuration.initialStreamWindow = 256
        configuration.connectionWindow = 70_000
        configuration.maxUnreadBytes = 300
        configuration.maxHeaderListBytes = 512
        configuration.maxHeaderFields = 10
        configuration.maxOutputBytes = 4096
        let few = AbuseBudget(burst: 4, perSecond: 0)
        configuration.resets = few
        configuration.forcedResets = few
        configuration.refusedStreams = few
        configuration.pings = few
        configuration.settings = few
        configuration.emptyFrames = few
        configuration.windowUpdates = few
        return configuration
    }()

    /// What happened, by the connection and by each stream.
    /// - Parameter flushing: after every piece, as a loop does, instead of at the end.
    func run(_ pieces: [Piece], flushing: Bool) throws -> [String] {
        guard let session else { return [] }
        defer { self.session = nil }
        isFlushing = flushing
        if role == .client { try open(session) }
        do throws(HTTP2Error) {
            for piece in pieces {
                try session.receive(piece.bytes)
                if flushing { try flush(session) }
            }
        } catch {
            lines.append("error \(error.code)")
        }
        if habits.contains(.leaves) { session.goaway(.noError, debug: "going") }
        do throws(HTTP2Error) {
            try flush(session)
        } catch {
            lines.append("flush \(error.code)")
        }
        try require(session.unread >= 0 && session.largeBodyBytes >= 0, "negative counts")
        if session.openStreams == 0 {
            try require(session.unread == 0, "\(session.unread) bytes belong to nobody")
            try require(session.largeBodyBytes == 0, "bodies without streams")
        }
        lines.append("abuse \(session.abuse?.rawValue ?? "none") \(session.isFinished)")
        session.abandon(.cancel)
        try require(session.openStreams == 0, "streams are left")
        try require(streams.allSatisfy { $0.closings == 1 }, "a stream did not close once")
        try checkFrames()
        for stream in streams { lines += stream.takeLines() }
        return lines
    }

    /// A client's calls: one that has ended its side, one that has not, one that waits.
    private func open(_ session: HTTP2Session) throws {
        for number in 0..<3 {
            let stream = ProbeStream(self)
            streams.append(stream)
            try session.request(stream, ProbeStream.request)
            if number < 2 { stream.send(count: habits.contains(.largeBodies) ? 100_000 : 10) }
            if number == 0 { stream.endBody(trailers: nil) }
        }
        try flush(session)
    }

    private func flush(_ session: HTTP2Session) throws(HTTP2Error) {
        var rounds = 0
        while try session.flush({ output += $0 }), rounds < 1000 { rounds += 1 }
    }

    /// What goes out is whole frames, and no header or setting is longer than the peer allows.
    private func checkFrames() throws {
        var rest = output[...]
        if role == .client { rest = rest.dropFirst(24) }
        while !rest.isEmpty {
            let header = rest.prefix(9)
            let length = header.prefix(3).reduce(0) { $0 << 8 | Int($1) }
            try require(
                header.count == 9 && rest.count >= 9 + length, "a frame is not whole")
            rest = rest.dropFirst(9 + length)
        }
    }

    func didEnd(_ stream: ProbeStream) {
        guard role == .server, !habits.contains(.answersAtOnce) else { return }
        answer(stream)
    }

    func didReceiveHeaders(_ stream: ProbeStream) {
        if role == .server, habits.contains(.answersAtOnce) { answer(stream) }
        if habits.contains(.resets) { stream.reset(.cancel) }
    }

    func didReceiveData(_ stream: ProbeStream, _ count: Int) {
        // Between two pieces it would widen the window, so that the cut decides what fits.
        if habits.contains(.consumes), isFlushing { stream.consume(count) }
    }

    private func answer(_ stream: ProbeStream) {
        guard let session = stream.session, !stream.isAnswered else { return }
        stream.isAnswered = true
        guard habits.contains(.answersWithBody) else {
            session.respondOnly(stream, ProbeStream.response)
            return
        }
        session.respond(stream, ProbeStream.response)
        stream.send(count: habits.contains(.largeBodies) ? 200_000 : 100)
        stream.endBody(trailers: ProbeStream.trailers)
    }

    // MARK: HTTP2SessionHandler

    func sessionWantsFlush(_ session: HTTP2Session) {}

    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? {
        if habits.contains(.refuses), streams.count % 2 == 1 { return nil }
        let stream = ProbeStream(self)
        streams.append(stream)
        return stream
    }

    func sessionDidRefuseStream(_ session: HTTP2Session) { lines.append("refused") }
    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        lines.append("settings \(session.peerSettings)")
    }

    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {
        lines.append("goaway \(lastStreamID) \(code) \(debug)")
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        lines.append("pong \(payload)")
    }

    func sessionDidReceivePing(_ session: HTTP2Session) { lines.append("ping") }
}
