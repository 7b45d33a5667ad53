import Frames
import HTTP2

/// A session's owner that writes down what happens, and keeps what would be sent.
final class Recorder: HTTP2SessionHandler {
    final class Stream: HTTP2Stream {
        var events: [String] = []
        var received: [UInt8] = []
        var tooLarge = false
        var closed: HTTP2Code?
        var onEnd: ((Stream) -> Void)?

        override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
            tooLarge = block.isTooLarge
            let fields = (0..<block.count).map {
                String(decoding: block.name($0), as: UTF8.self) + "="
                    + String(decoding: block.value($0), as: UTF8.self)
            }
            events.append("headers " + fields.joined(separator: " "))
        }

        override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
            received += bytes
        }

        override func didReceiveEnd() {
            events.append("end")
            onEnd?(self)
        }

        override func didDrainBody() { events.append("drain") }

        override func didClose(_ code: HTTP2Code) {
            events.append("close \(code)")
            closed = code
        }
    }

    var session: HTTP2Session?
    var streams: [Stream] = []
    var refuses = false
    var goaways: [String] = []
    var pongs: [UInt64] = []
    var onEnd: ((Stream) -> Void)?

    init(_ role: HTTP2Session.Role, _ configuration: HTTP2Configuration = HTTP2Configuration())
        throws
    {
        session = try HTTP2Session(role: role, configuration: configuration, handler: self)
    }

    func sessionWantsFlush(_ session: HTTP2Session) {}

    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? {
        if refuses { return nil }
        let stream = Stream()
        stream.onEnd = onEnd
        streams.append(stream)
        return stream
    }

    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {
        goaways.append("\(lastStreamID) \(code) \(debug)")
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        pongs.append(payload)
    }

    /// A client's stream with a request, whose body has not ended.
    func request() throws -> Stream {
        let fields = HTTP2Fields()
        for (name, value) in [
            (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"),
        ] { fields.append(name, value) }
        let stream = Stream()
        try session?.request(stream, fields)
        return stream
    }

    /// Feeds bytes and returns the frames that come out.
    @discardableResult
    func exchange(_ frames: [Frame], preface: Bool = false) throws -> [Frame] {
        let bytes = (preface ? Frame.preface : []) + frames.flatMap(\.bytes)
        try bytes.withUnsafeBytes { try session?.receive($0) }
        return try output()
    }

    @discardableResult
    func output() throws -> [Frame] {
        var out: [UInt8] = []
        while try session?.flush({ out += $0 }) == true {}
        return Frame.parse(out)
    }

    /// A server that has shaken hands with a peer.
    static func server(
        _ configuration: HTTP2Configuration = HTTP2Configuration(), peerSettings: [UInt8] = []
    ) throws -> Recorder {
        let recorder = try Recorder(.server, configuration)
        try recorder.exchange(
            [
                Frame(kind: .settings, payload: peerSettings),
                Frame(kind: .settings, flags: Frame.ack),
            ], preface: true)
        return recorder
    }
}
