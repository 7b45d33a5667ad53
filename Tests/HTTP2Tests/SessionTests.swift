import Frames
import HTTP2
import Testing

@Suite("HTTP2 session: raw frame transcripts")
struct SessionTests {
    @Test("a server says its limits first")
    func serverSettings() throws {
        var configuration = HTTP2Configuration()
        configuration.maxConcurrentStreams = 7
        let recorder = try Recorder(.server, configuration)
        let frames = try recorder.output()
        #expect(frames.map(\.kind) == [.settings, .windowUpdate])
        var settings: [UInt16: UInt32] = [:]
        let payload = frames[0].payload
        for start in stride(from: 0, to: payload.count, by: 6) {
            let id = UInt16(payload[start]) << 8 | UInt16(payload[start + 1])
            settings[id] = payload[start + 2..<start + 6].reduce(0) { $0 << 8 | UInt32($1) }
        }
        #expect(settings == [3: 7, 4: 1 << 20, 6: 16 << 10, 9: 1])
        #expect(frames[1].number == (4 << 20) - 65535)
    }

    @Test("headers arrive in order, blanks around values are stripped, the answer has three frames")
    func requestAndResponse() throws {
        let recorder = try Recorder.server()
        recorder.onEnd = { stream in
            stream.session?.respond(stream, HTTP2Fields.ok)
            #expect(stream.write([1, 2, 3]))
            stream.endBody(trailers: HTTP2Fields.someTrailers)
        }
        let frames = try recorder.exchange([
            .request(1, extra: [("x-a", "  one\t")]), .data(1, [9, 8]), .data(1, [7], end: true),
        ])
        let stream = recorder.streams[0]
        #expect(
            stream.events == [
                "headers :method=POST :scheme=http :path=/a.B/C :authority=x x-a=one", "end",
                "close NO_ERROR",
            ])
        #expect(stream.received == [9, 8, 7])
        #expect(frames.map(\.kind) == [.headers, .data, .headers])
        #expect(frames[1].payload == [1, 2, 3])
        #expect(frames[2].flags & Frame.endStream != 0)
        #expect(recorder.session?.openStreams == 0)
    }

    @Test("what is written in one turn leaves in one DATA frame")
    func joinsWrites() throws {
        let recorder = try Recorder.server()
        recorder.onEnd = { stream in
            stream.session?.respond(stream, HTTP2Fields.ok)
            for byte in UInt8(0)..<100 { _ = stream.write([byte]) }
        }
        let frames = try recorder.exchange([.request(1, end: true)])
        #expect(frames.map(\.kind) == [.headers, .data])
        #expect(frames[1].payload == Array(0..<100))
        // Nothing more to send until something is written.
        #expect(try recorder.output().isEmpty)
        _ = recorder.streams[0].write([200])
        #expect(try recorder.output().map(\.payload) == [[200]])
    }

    @Test("a client that still sends is told to stop after an early answer")
    func earlyAnswer() throws {
        let recorder = try Recorder.server()
        try recorder.exchange([.request(1)])
        recorder.session?.respondOnly(recorder.streams[0], HTTP2Fields.ok)
        let frames = try recorder.output()
        #expect(frames.map(\.kind) == [.headers, .reset])
        #expect(frames[1].number == HTTP2Code.noError.rawValue)
    }

    @Test(
        "header limits: over the list size or the field count is marked, not stored",
        arguments: [(3, 110, false), (127, 1, true), (140, 110, true), (120, 110, true)])
    func headerLimits(count: Int, valueCount: Int, tooLarge: Bool) throws {
        let recorder = try Recorder.server()
        let extra = (0..<count).map {
            ("x-\($0)", String(repeating: "v", count: valueCount))
        }
        let frame = Frame.request(1, extra: extra)
        let first = Array(frame.payload.prefix(16_000))
        var frames = [
            Frame(
                kind: .headers, flags: first.count == frame.payload.count ? Frame.endHeaders : 0,
                stream: 1, payload: first)
        ]
        if first.count < frame.payload.count {
            frames.append(
                Frame(
                    kind: .continuation, flags: Frame.endHeaders, stream: 1,
                    payload: Array(frame.payload.dropFirst(16_000))))
        }
        try recorder.exchange(frames)
        #expect(recorder.streams[0].tooLarge == tooLarge)
    }

    @Test("CONTINUATION frames may arrive byte by byte")
    func slowContinuations() throws {
        let recorder = try Recorder.server()
        let frame = Frame.request(1, extra: [("x", "y")])
        let parts = frame.payload.map { [$0] }
        var frames = [Frame(kind: .headers, stream: 1, payload: parts[0])]
        frames += parts[1..<8].map { Frame(kind: .continuation, stream: 1, payload: $0) }
        frames.append(
            Frame(
                kind: .continuation, flags: Frame.endHeaders, stream: 1,
                payload: Array(parts[8...].joined())))
        for byte in frames.flatMap(\.bytes) {
            try [byte].withUnsafeBytes { try recorder.session?.receive($0) }
        }
        #expect(recorder.streams.first?.events.count == 1)
    }

    @Test("a CONTINUATION flood ends the connection (CVE-2024-28182)")
    func continuationFlood() throws {
        let recorder = try Recorder.server()
        var frames = [Frame(kind: .headers, stream: 1, payload: Frame.block([("x", "y")]))]
        frames += (0..<100).map { _ in Frame(kind: .continuation, stream: 1) }
        #expect(throws: HTTP2Error.self) { try recorder.exchange(frames) }
    }

    @Test("unread data is not paid for: windows open again only by consume")
    func flowControl() throws {
        var configuration = HTTP2Configuration()
        configuration.initialStreamWindow = 1000
        configuration.connectionWindow = 70_000
        let recorder = try Recorder.server(configuration)
        let frames = try recorder.exchange([
            .request(1), .data(1, [UInt8](repeating: 1, count: 1000)),
        ])
        #expect(frames.isEmpty)
        recorder.streams[0].consume(1000)
        let updates = try recorder.output()
        #expect(updates.map(\.kind) == [.windowUpdate])
        #expect(updates.map(\.stream) == [1])
        #expect(updates[0].number == 1000)
        // More than the window: a flow-control error of the stream.
        let errors = try recorder.exchange([.data(1, [UInt8](repeating: 1, count: 1001))])
        #expect(errors.contains { $0.kind == .reset || $0.kind == .goaway })
    }

    @Test("the peer's window holds data back, and the writer hears when it has gone")
    func peerWindow() throws {
        // SETTINGS_INITIAL_WINDOW_SIZE = 10
        let recorder = try Recorder.server(peerSettings: [0, 4, 0, 0, 0, 10])
        try recorder.exchange([.request(1, end: true)])
        let stream = recorder.streams[0]
        recorder.session?.respond(stream, HTTP2Fields.ok)
        let isFree = stream.write([UInt8](repeating: 5, count: 100_000))
        #expect(!isFree)
        let first = try recorder.output().filter { $0.kind == .data }
        #expect(first.map(\.payload.count) == [10])
        #expect(!stream.events.contains("drain"))
        let credit = Frame.big(1_000_000)
        let rest = try recorder.exchange([
            Frame(kind: .windowUpdate, stream: 0, payload: credit),
            Frame(kind: .windowUpdate, stream: 1, payload: credit),
        ])
        let sent = rest.filter { $0.kind == .data }.reduce(0) { $0 + $1.payload.count }
        #expect(sent == 99_990)
        #expect(stream.events.contains("drain"))
    }

    @Test("a handler's refusal is REFUSED_STREAM")
    func refusal() throws {
        let recorder = try Recorder.server()
        recorder.refuses = true
        let frames = try recorder.exchange([.request(1, end: true)])
        #expect(frames.map(\.kind) == [.reset])
        #expect(frames[0].number == HTTP2Code.refusedStream.rawValue)
    }

    @Test("resets go both ways with their code")
    func resets() throws {
        let recorder = try Recorder.server()
        try recorder.exchange([.request(1), .request(3)])
        try recorder.exchange([
            Frame(kind: .reset, stream: 1, payload: Frame.big(HTTP2Code.cancel.rawValue))
        ])
        #expect(recorder.streams[0].closed == .cancel)
        recorder.streams[1].reset(.cancel)
        let frames = try recorder.output()
        #expect(frames.map(\.number) == [HTTP2Code.cancel.rawValue])
        #expect(recorder.streams[1].closed == .cancel)
    }

    @Test("GOAWAY in two steps: the notice accepts everything, the second names the last stream")
    func goawayTwice() throws {
        let recorder = try Recorder.server()
        try recorder.exchange([.request(1)])
        recorder.session?.sendShutdownNotice(ping: 1)
        let notice = try recorder.output()
        #expect(notice.map(\.kind) == [.goaway, .ping])
        #expect(notice[0].number == 0x7fff_ffff)
        recorder.session?.goaway(.noError, debug: "draining")
        let frames = try recorder.output()
        #expect(frames.map(\.number) == [1])
        #expect(String(decoding: frames[0].payload.dropFirst(8), as: UTF8.self) == "draining")
    }

    @Test("a dropped connection closes every stream once")
    func abandon() throws {
        let recorder = try Recorder.server()
        try recorder.exchange([.request(1), .request(3), .request(5)])
        recorder.session?.abandon(.cancel)
        #expect(recorder.streams.map(\.closed) == [.cancel, .cancel, .cancel])
        #expect(recorder.session?.openStreams == 0)
    }
}
