import Environment
import HTTP2
import Loop
import RPCHTTP2

/// One HTTP/2 connection without gRPC on it: what a check sends and gets is exactly what it says.
/// Confined to its loop.
final class ProbeConnection: StreamSocketHandler, HTTP2SessionHandler, @unchecked Sendable {
    /// Large enough for everything that a check may get.
    private static let window: Int32 = 1 << 20

    let loop: EventLoop
    private let socket: any ByteStream
    private let authority: String
    private(set) var session: HTTP2Session?
    /// What ended the connection.
    private(set) var end: String?
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0
    private(set) var hasSettings = false
    private(set) var goaway: String?
    private var pings = 0

    /// Takes over a connected stream.
    init(_ socket: any ByteStream, authority: String) throws(HTTP2Error) {
        self.socket = socket
        self.authority = authority
        loop = socket.loop
        var configuration = HTTP2Configuration()
        configuration.initialStreamWindow = ProbeConnection.window
        let session = try HTTP2Session(role: .client, configuration: configuration, handler: self)
        self.session = session
        socket.setHandler(self)
        session.start()
        socket.startReading()
    }

    var isOpen: Bool { session != nil }

    func close() {
        session?.goaway(.noError)
        flush()
        socket.close()
    }

    // MARK: What checks do

    /// Waits until the condition holds, the connection ends or the time is over.
    /// - Returns: whether the condition holds.
    func wait(_ limit: Duration, until condition: () -> Bool) async -> Bool {
        loop.preconditionInLoop()
        let deadline = Deadline.after(limit)
        while !condition(), isOpen, !deadline.hasPassed, !Task.isCancelled {
            let number = nextWaiter
            nextWaiter += 1
            let timer = loop.schedule(after: deadline.remaining) { [self] in wake(number) }
            await withCheckedContinuation { waiters[number] = $0 }
            timer.cancel()
        }
        return condition()
    }

    private func wake(_ number: Int) { waiters.removeValue(forKey: number)?.resume() }

    /// Something happened: whoever waits looks again.
    func wakeAll() {
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.resume() }
    }

    /// - Returns: the time until the answer; nil when none came.
    func ping(within limit: Duration) async -> Duration? {
        guard let session else { return nil }
        let start = Deadline.now()
        let wanted = pings + 1
        session.ping(0x7270_6375_726c)
        guard await wait(limit, until: { pings >= wanted }) else { return nil }
        return start.duration(to: .now())
    }

    /// Opens a stream with these headers.
    /// - Returns: nil when the connection takes none any more.
    func open(_ path: String, _ headers: [(String, String)] = []) -> ProbeStream? {
        guard let session else { return nil }
        let fields = HTTP2Fields()
        fields.append(":method", "POST")
        fields.append(":scheme", socket is TLSStream ? "https" : "http")
        fields.append(":path", path)
        fields.append(":authority", authority)
        fields.append("te", "trailers")
        if !headers.contains(where: { $0.0 == "content-type" }) {
            fields.append("content-type", "application/grpc")
        }
        fields.append("user-agent", "rpcurl-doctor")
        for (name, value) in headers { fields.append(name, value) }
        let stream = ProbeStream(self)
        do {
            try session.request(stream, fields)
        } catch {
            return nil
        }
        return stream
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        do {
            try session?.receive(bytes)
        } catch {
            fail("\(error)")
        }
    }

    func socketDidEnd() { fail("the server closed the connection") }
    func socketDidDrain() { flush() }

    func socketDidClose(_ error: (any Error)?) {
        fail(error.map { "\($0)" } ?? "the connection was closed")
    }

    private func fail(_ why: String) {
        end = end ?? goaway.map { "\($0); \(why)" } ?? why
        let session = session
        self.session = nil
        session?.abandon(.internalError)
        socket.close()
        wakeAll()
    }

    // MARK: Session

    func sessionWantsFlush(_ session: HTTP2Session) { loop.atTurnEnd { self.flush() } }

    private func flush() {
        guard let session, socket.queuedBytes == 0 else { return }
        do {
            while try session.flush({ socket.write($0) }) {
                if socket.queuedBytes > 0 || !socket.isOpen { return }
            }
        } catch {
            return fail("\(error)")
        }
        if session.isFinished { fail("the connection was closed") }
    }

    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        hasSettings = true
        wakeAll()
    }

    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {
        goaway = debug.isEmpty ? "GOAWAY \(code)" : "GOAWAY \(code): \(debug)"
        wakeAll()
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        pings += 1
        wakeAll()
    }
}
