import Frames
import Loop

/// A client that writes frames by hand and reads those that come back: it does what no library
/// would do. Confined to its loop; every method hops there.
final class FramePeer: StreamSocketHandler, @unchecked Sendable {
    let loop: EventLoop
    private let socket: any ByteStream
    private var bytes: [UInt8] = []
    private var frames: [Frame] = []
    private var isClosed = false
    private var answersPings = true
    private var waiter: (matches: (Frame) -> Bool, resume: (Frame?) -> Void)?
    private var waits = 0

    /// A frame that has not come by then does not come: the test fails instead of hanging.
    private static let patience = Duration.seconds(60)

    private init(_ socket: any ByteStream) {
        self.socket = socket
        loop = socket.loop
    }

    /// Connects and, unless told not to, shakes hands: preface, SETTINGS, and the acknowledgement
    /// of the server's, with `first` in the same write.
    static func connect(
        to server: TestServer, settings: [(UInt16, UInt32)]? = [], acknowledges: Bool = true,
        answersPings: Bool = true, first: [Frame] = []
    ) async throws -> FramePeer {
        let loop = EventLoop(name: "frames")
        let socket = try await StreamSocket.connect(to: server.address, on: loop)
        let peer = try await loop.submit {
            let peer = FramePeer(socket)
            peer.answersPings = answersPings
            socket.setHandler(peer)
            socket.startReading()
            return peer
        }
        guard let settings else { return peer }
        var frames = [Frame.settings(settings)]
        if acknowledges { frames.append(Frame(kind: .settings, flags: Frame.ack)) }
        try await peer.send(bytes: Frame.preface + (frames + first).flatMap(\.bytes))
        return peer
    }

    func send(_ frames: [Frame]) async throws {
        try await send(bytes: frames.flatMap(\.bytes))
    }

    func send(bytes: [UInt8]) async throws {
        try await loop.submit { [self] in socket.write(bytes) }
    }

    func stopReading() async throws {
        try await loop.submit { [self] in socket.stopReading() }
    }

    func close() async throws {
        try await loop.submit { [self] in socket.close() }
    }

    /// The next frame that matches; those before it are dropped. Nil when the connection closed
    /// without one, or none came in a minute.
    func next(_ matches: @escaping @Sendable (Frame) -> Bool) async -> Frame? {
        await withCheckedContinuation { continuation in
            loop.execute { [self] in
                precondition(waiter == nil, "one waits at a time")
                waiter = (matches, { continuation.resume(returning: $0) })
                waits += 1
                serve()
                if waiter != nil { giveUpLater(waits) }
            }
        }
    }

    private func giveUpLater(_ wait: Int) {
        Task(executorPreference: loop) { [self] in
            try await loop.sleep(for: Self.patience)
            guard wait == waits, let resume = waiter?.resume else { return }
            waiter = nil
            resume(nil)
        }
    }

    func next(_ kind: Frame.Kind, stream: UInt32? = nil) async -> Frame? {
        await next { $0.kind == kind && (stream == nil || $0.stream == stream) }
    }

    /// The debug text of the GOAWAY with an error code that ends the connection, and whether the
    /// connection closed behind it.
    func farewell() async -> String? {
        let goaway = await next { $0.kind == .goaway && $0.payload.count > 8 }
        return await next { _ in false } == nil ? goaway?.debugText : nil
    }

    private func serve() {
        guard let (matches, resume) = waiter else { return }
        if let index = frames.firstIndex(where: matches) {
            waiter = nil
            let frame = frames[index]
            frames.removeFirst(index + 1)
            resume(frame)
        } else if isClosed {
            waiter = nil
            resume(nil)
        } else {
            frames.removeAll()
        }
    }

    func socketDidRead(_ new: UnsafeRawBufferPointer) {
        bytes += new
        for frame in Frame.take(&bytes) {
            frames.append(frame)
            if frame.kind == .ping, frame.flags & Frame.ack == 0, answersPings {
                var answer = frame
                answer.flags = Frame.ack
                socket.write(answer.bytes)
            }
        }
        serve()
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        isClosed = true
        serve()
    }
}
