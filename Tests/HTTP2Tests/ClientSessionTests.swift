import HTTP2
import Testing

@Suite("HTTP2 session: client role")
struct ClientSessionTests {
    /// A client and a server session, with bytes carried between them until both are silent.
    private struct Pair {
        let client: Recorder
        let server: Recorder

        init() throws {
            client = try Recorder(.client)
            server = try Recorder(.server)
            try settle()
        }

        func settle() throws {
            while true {
                var moved = false
                for (from, to) in [(client, server), (server, client)] {
                    var bytes: [UInt8] = []
                    while try from.session?.flush({ bytes += $0 }) == true {}
                    if bytes.isEmpty { continue }
                    moved = true
                    try bytes.withUnsafeBytes { try to.session?.receive($0) }
                }
                if !moved { return }
            }
        }

        func request() throws -> Recorder.Stream {
            try client.request()
        }
    }

    private func fields(_ name: StaticString, _ value: StaticString) -> HTTP2Fields {
        let fields = HTTP2Fields(immortal: false)
        fields.append(name, value)
        return fields
    }

    @Test("a request and its answer, trailers last")
    func roundTrip() throws {
        let pair = try Pair()
        pair.server.onEnd = { stream in
            stream.session?.respond(stream, self.fields(":status", "200"))
            _ = stream.received.withUnsafeBytes { stream.write($0) }
            stream.endBody(trailers: self.fields("x-end", "yes"))
        }
        let stream = try pair.request()
        _ = [UInt8](repeating: 3, count: 200_000).withUnsafeBytes { stream.write($0) }
        stream.endBody(trailers: nil)
        try pair.settle()
        #expect(pair.server.streams.count == 1)
        pair.server.streams[0].consume(200_000)
        try pair.settle()
        stream.consume(200_000)
        try pair.settle()
        #expect(stream.received == [UInt8](repeating: 3, count: 200_000))
        #expect(
            stream.events.filter { $0 != "drain" } == [
                "headers :status=200", "headers x-end=yes", "end", "close NO_ERROR",
            ])
    }

    @Test("streams above GOAWAY's last id come back as refused; earlier ones finish")
    func goaway() throws {
        let pair = try Pair()
        let first = try pair.request()
        first.endBody(trailers: nil)
        try pair.settle()
        pair.server.session?.goaway(.noError, debug: "bye")
        let second = try pair.request()
        second.endBody(trailers: nil)
        var goaway: [UInt8] = []
        _ = try pair.server.session?.flush { goaway += $0 }
        var headers: [UInt8] = []
        _ = try pair.client.session?.flush { headers += $0 }
        let third = try pair.request()
        try goaway.withUnsafeBytes { try pair.client.session?.receive($0) }
        try headers.withUnsafeBytes { try pair.server.session?.receive($0) }
        try pair.settle()
        #expect(third.closed == .refusedStream)
        #expect(pair.client.goaways == ["1 NO_ERROR bye"])
        #expect(second.closed == .refusedStream)
        #expect(first.closed == nil)
        #expect(throws: HTTP2Error.self) { _ = try pair.request() }
    }

    @Test("a ping is answered with its payload")
    func ping() throws {
        let pair = try Pair()
        pair.client.session?.ping(0x0102_0304_0506_0708)
        try pair.settle()
        #expect(pair.client.pongs == [0x0102_0304_0506_0708])
    }

    @Test("the peer's stream limit is known")
    func peerLimit() throws {
        let pair = try Pair()
        #expect(pair.client.session?.peerMaxConcurrentStreams == 1000)
    }
}
