import Frames

/// One connection of a server whose every frame the test decides; only SETTINGS are acknowledged
/// and the client's windows kept, for one stream at a time.
final class ScriptedServer {
    /// An answer that needs flow control.
    static let large = [UInt8](repeating: 0, count: 314_159)

    private let peer: FramePeer
    private var initialWindow = 65_535
    private var connectionWindow = 65_535
    private var streamWindow = 65_535

    init(_ peer: FramePeer, settings: [(UInt16, UInt32)] = []) {
        self.peer = peer
        peer.send([Frame.settings(settings)])
    }

    func send(_ frames: [Frame]) {
        peer.send(frames)
    }

    /// The next frame; nil when the client has closed.
    func next() async -> Frame? {
        guard let frame = await peer.next() else { return nil }
        switch frame.kind {
        case .settings where frame.flags & Frame.ack == 0:
            for start in stride(from: 0, to: frame.payload.count, by: 6)
            where frame.payload[start + 1] == 4 {
                let value = frame.payload[(start + 2)..<(start + 6)]
                initialWindow = value.reduce(0) { $0 << 8 | Int($1) }
            }
            send([Frame(kind: .settings, flags: Frame.ack)])
        case .windowUpdate where frame.stream == 0: connectionWindow += Int(frame.number)
        case .windowUpdate: streamWindow += Int(frame.number)
        case .headers: streamWindow = initialWindow
        default: break
        }
        return frame
    }

    /// The stream of the next request that is complete.
    func request() async -> UInt32? {
        while let frame = await next() {
            if frame.kind == .data, frame.flags & Frame.endStream != 0 { return frame.stream }
        }
        return nil
    }

    /// Sends DATA frames as the client's windows let it; false when the client has closed.
    func sendInWindows(_ frames: [Frame]) async -> Bool {
        var waiting = frames[...]
        while true {
            var part: [Frame] = []
            while let frame = waiting.first,
                frame.payload.count <= min(connectionWindow, streamWindow)
            {
                connectionWindow -= frame.payload.count
                streamWindow -= frame.payload.count
                part.append(frame)
                waiting.removeFirst()
            }
            send(part)
            if waiting.isEmpty { return true }
            guard await next() != nil else { return false }
        }
    }

    // MARK: A good answer

    static func headers(_ stream: UInt32) -> Frame {
        .headers(stream, end: false, [(":status", "200"), ("content-type", "application/grpc")])
    }

    /// The large message in DATA frames of at most `size` bytes.
    static func body(_ stream: UInt32, size: Int = 16_384) -> [Frame] {
        let framed = [0] + Frame.big(UInt32(large.count)) + large
        return stride(from: 0, to: framed.count, by: size).map {
            .data(stream, Array(framed[$0..<min($0 + size, framed.count)]))
        }
    }

    static func trailers(_ stream: UInt32) -> Frame {
        .headers(stream, [("grpc-status", "0")])
    }

    static func answer(_ stream: UInt32) -> [Frame] {
        [headers(stream)] + body(stream) + [trailers(stream)]
    }
}
