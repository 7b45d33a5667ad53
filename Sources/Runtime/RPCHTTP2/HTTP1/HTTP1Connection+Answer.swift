import Environment
import HTTP1
import Loop

/// The answer waits for the end of the turn: complete by then, it leaves with its length, else in
/// chunks.
extension HTTP1Connection: WebExchange {
    func respond(_ status: Int, _ fields: WebFields) {
        guard phase == .exchange, !answerHasEnded, waitingHead == nil else { return }
        var headers = HTTPHeaders()
        // A field that would break the message stays behind.
        for (name, value) in fields.list { try? headers.add(name, value) }
        waitingHead = (HTTPStatus(rawValue: status), headers)
        planFlush()
    }

    func write(_ bytes: [UInt8]) -> Bool {
        guard phase == .exchange, !answerHasEnded else { return true }
        pieces.append(bytes)
        unsentBytes += bytes.count
        planFlush()
        if waitingBytes < HTTP1Connection.window { return true }
        owesDrain = true
        return false
    }

    func finish() {
        guard phase == .exchange, !answerHasEnded else { return }
        didAnswer()
        if isLeaving || bodyIsTooLongToSkip { encoder.keepAlive = false }
        if let head = waitingHead {
            waitingHead = nil
            let body = takePieces()
            send(
                encoder.encode(
                    HTTPResponse(status: head.status, headers: head.headers, body: body),
                    date: date()))
        } else {
            send(encoder.chunk(takePieces()))
            send(encoder.endStream())
        }
        endExchangeWhenOver()
    }

    /// Chunks without an end: the client knows.
    func abort() {
        close()
    }

    var waitingBytes: Int { unsentBytes + socket.queuedBytes }

    private func takePieces() -> [UInt8] {
        defer { pieces = [] }
        for piece in pieces { unsentBytes -= piece.count }
        return pieces.count == 1 ? pieces[0] : Array(pieces.joined())
    }

    // MARK: Writing

    func send(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        out.append(bytes)
        unsentBytes += bytes.count
        planFlush()
    }

    func planFlush() {
        guard !flushIsPlanned else { return }
        flushIsPlanned = true
        loop.atTurnEnd { self.flush() }
    }

    private func flush() {
        flushIsPlanned = false
        guard phase != .closed else { return }
        if let head = waitingHead {
            waitingHead = nil
            if isLeaving { encoder.keepAlive = false }
            out.append(encoder.beginStream(head.status, head.headers, date: date()))
        }
        if !pieces.isEmpty { out.append(encoder.chunk(takePieces())) }
        let chunks = out
        out = []
        unsentBytes = 0
        if !chunks.isEmpty {
            socket.write(chunks)
            since = loop.milliseconds
            didWrite()
        }
        if phase == .lingering { socket.shutdown() }
        lastQueued = socket.queuedBytes
        if lastQueued == 0 { tellDrained() }
        advance()
    }

    /// What was written has left: who waited goes on.
    func tellDrained() {
        guard owesDrain, waitingBytes == 0 else { return }
        owesDrain = false
        web?.didDrain()
    }

    func date() -> String {
        loop.shared { Today() }.field.value(at: Instant.now().secondsSinceEpoch)
    }

    /// One for all connections of a loop.
    private final class Today {
        var field = DateField()
    }
}
