import Frames
import HTTP2
import Testing

/// A body of which everything has left, and that goes on later.
@Suite struct RestingBodyTests {
    @Test("writes, rests, writes, and ends with its trailers alone") func restsAndGoesOn() throws {
        let recorder = try Recorder.server()
        recorder.onEnd = { $0.respond(HTTP2Fields.ok) }
        // Nothing yet: told to wait, not at rest.
        #expect(try recorder.exchange([.request(1, end: true)]).map(\.kind) == [.headers])
        let stream = try #require(recorder.streams.first)
        for byte in UInt8(1)...3 {
            #expect(stream.write([byte]))
            #expect(stream.write([byte]))
            #expect(try recorder.output().map(\.payload) == [[byte, byte]])
            #expect(try recorder.output().isEmpty)
        }
        stream.endBody(trailers: HTTP2Fields.someTrailers)
        let last = try recorder.output()
        #expect(last.map(\.kind) == [.headers])
        #expect(last[0].flags & Frame.endStream != 0)
        #expect(stream.closed == .noError)
    }

    @Test("the last write and the end leave together") func endsWithData() throws {
        let recorder = try Recorder.server()
        recorder.onEnd = { $0.respond(HTTP2Fields.ok) }
        try recorder.exchange([.request(1, end: true)])
        let stream = try #require(recorder.streams.first)
        #expect(stream.write([1]))
        try recorder.output()
        #expect(stream.write([2]))
        stream.endBody(trailers: nil)
        let last = try recorder.output()
        #expect(last.map(\.payload) == [[2]])
        #expect(last[0].flags & Frame.endStream != 0)
        #expect(stream.closed == .noError)
    }

    @Test("more than the window waits for it, then rests") func window() throws {
        let recorder = try Recorder.server()
        recorder.onEnd = { $0.respond(HTTP2Fields.ok) }
        try recorder.exchange([.request(1, end: true)])
        let stream = try #require(recorder.streams.first)
        #expect(!stream.write([UInt8](repeating: 7, count: 70_000)))
        let first = try recorder.output().reduce(0) { $0 + $1.payload.count }
        #expect(first == 65_535)
        let rest = try recorder.exchange([.windowUpdate(0, 10_000), .windowUpdate(1, 10_000)])
        #expect(rest.reduce(0) { $0 + $1.payload.count } == 70_000 - 65_535)
        #expect(stream.write([8]))
        #expect(try recorder.output().map(\.payload) == [[8]])
    }

    @Test("a reset while the frame waits for room leaves nothing behind") func resetInBetween()
        throws
    {
        var configuration = HTTP2Configuration()
        configuration.maxOutputBytes = 1024
        let recorder = try Recorder.server(configuration)
        recorder.onEnd = { stream in
            stream.respond(HTTP2Fields.ok)
            _ = stream.write([UInt8](repeating: UInt8(stream.id), count: 2000))
        }
        let requests = [Frame.request(1, end: true), .request(3, end: true)].flatMap(\.bytes)
        try requests.withUnsafeBytes { try recorder.session?.receive($0) }
        var out: [UInt8] = []
        // One piece only: the second body's frame is begun and finds no room.
        #expect(try recorder.session?.flush { out += $0 } == true)
        #expect(Frame.parse(out).filter { $0.kind == .data }.count == 1)
        recorder.streams.removeAll()
        let after = try recorder.exchange([.reset(1, code: 8), .reset(3, code: 8)])
        #expect(recorder.session?.openStreams == 0)
        #expect(after.filter { $0.kind == .data }.isEmpty)
        let next = try recorder.exchange([.request(5, end: true)])
        #expect(next.map(\.kind) == [.headers, .data])
        #expect(try #require(recorder.streams.first).write([9]))
        #expect(try recorder.output().map(\.payload) == [[9]])
    }
}
