import Frames
import Loop

/// A connection that says exactly the bytes it is told to, and hands over what comes, by frame.
final class FramePeer: StreamSocketHandler, @unchecked Sendable {
    // Confined to the socket's loop.

    private let stream: any ByteStream
    private var bytes: [UInt8] = []
    private var frames: [Frame] = []
    private var hasEnded = false
    private var waiter: CheckedContinuation<Frame?, Never>?
    private var pings: UInt8 = 0
    /// What is read before the first frame: the preface, when the other end is a client.
    private var prefaceBytes: Int

    /// On the loop of the stream.
    init(_ stream: any ByteStream, readsPreface: Bool = false) {
        self.stream = stream
        prefaceBytes = readsPreface ? Frame.preface.count : 0
        stream.setHandler(self)
        stream.startReading()
    }

    static func connect(to address: SocketAddress, on loop: EventLoop) async throws -> FramePeer {
        let socket = try await StreamSocket.connect(to: address, on: loop)
        return try await loop.submit { FramePeer(socket) }
    }

    func send(_ bytes: [UInt8]) {
        stream.loop.execute { [stream] in if stream.isOpen { stream.write(bytes) } }
    }

    func send(_ frames: [Frame]) {
        send(frames.flatMap(\.bytes))
    }

    /// The next frame; nil when the other end has closed. One task at a time.
    func next() async -> Frame? {
        await withCheckedContinuation { continuation in
            stream.loop.execute { [self] in
                if !frames.isEmpty {
                    continuation.resume(returning: frames.removeFirst())
                } else if hasEnded {
                    continuation.resume(returning: nil)
                } else {
                    waiter = continuation
                }
            }
        }
    }

    /// The next frame of that kind; nil when the other end has closed before.
    func next(_ kind: Frame.Kind) async -> Frame? {
        while let frame = await next() {
            if frame.kind == kind { return frame }
        }
        return nil
    }

    struct Reaction {
        var frames: [Frame] = []
        var isOpen = true
    }

    /// Sends the bytes and waits until the other end has dealt with them: what it said.
    ///
    /// Two pings: the answer to the first overtakes what the bytes caused, the second comes after.
    func react(to bytes: [UInt8]) async -> Reaction {
        var reaction = Reaction()
        for part in [bytes, []] {
            pings += 1
            let ping = Frame(kind: .ping, payload: [UInt8](repeating: pings, count: 8))
            send(part + ping.bytes)
            repeat {
                guard let frame = await next() else {
                    reaction.isOpen = false
                    return reaction
                }
                if frame.kind == .ping, frame.payload == ping.payload { break }
                reaction.frames.append(frame)
            } while true
        }
        return reaction
    }

    func close() {
        stream.loop.execute { [stream] in stream.close() }
    }

    // MARK: Socket

    func socketDidRead(_ part: UnsafeRawBufferPointer) {
        let skipped = min(prefaceBytes, part.count)
        prefaceBytes -= skipped
        bytes += part.dropFirst(skipped)
        frames += Frame.take(&bytes)
        deliver()
    }

    func socketDidEnd() { stream.close() }
    func socketDidDrain() {}

    func socketDidClose(_ error: (any Error)?) {
        hasEnded = true
        deliver()
    }

    private func deliver() {
        guard let waiter, hasEnded || !frames.isEmpty else { return }
        self.waiter = nil
        waiter.resume(returning: frames.isEmpty ? nil : frames.removeFirst())
    }
}
