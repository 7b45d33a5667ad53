import Frames
import Testing

@testable import HTTP2

@Suite("HTTP2 abuse budgets (rpc.md §7)")
struct AbuseTests {
    private func endsWithCalm(_ frames: [Frame]) -> Bool {
        frames.contains {
            $0.kind == .goaway && $0.secondNumber == HTTP2Code.enhanceYourCalm.rawValue
        }
    }

    @Test("a bucket gives its burst, then its rate")
    func bucket() {
        var budget = AbuseBudget(burst: 3, perSecond: 2)
        let times: [UInt32] = [
            10_000, 10_000, 10_000, 10_000, 10_400, 11_000, 11_000, 1_000_000, 1_000_000, 1_000_000,
            1_000_000,
        ]
        let allowed = times.map { budget.spend(at: $0) }
        #expect(
            allowed == [true, true, true, false, false, true, true, true, true, true, false])
    }

    @Test("pings beyond the budget end the connection, those within are answered")
    func pings() throws {
        var configuration = HTTP2Configuration()
        configuration.pings = AbuseBudget(burst: 5, perSecond: 0)
        let recorder = try Recorder.server(configuration)
        let ping = Frame(kind: .ping, payload: [UInt8](repeating: 7, count: 8))
        let answers = try recorder.exchange([Frame](repeating: ping, count: 5))
        #expect(answers.map(\.flags) == [UInt8](repeating: Frame.ack, count: 5))
        #expect(endsWithCalm(try recorder.exchange([ping])))
        #expect(recorder.session?.abuse == .pings)
    }

    /// As grpc-go measures the bandwidth by default: a ping for the DATA of each round trip.
    @Test("a ping for each answer, by a client, and for each request, by a server, is no flood")
    func pingsForData() throws {
        var configuration = HTTP2Configuration()
        configuration.pings = AbuseBudget(burst: 2, perSecond: 0)
        let ping = Frame(kind: .ping, payload: [UInt8](repeating: 7, count: 8))
        let server = try Recorder.server(configuration)
        server.onEnd = { $0.session?.respondOnly($0, .ok) }
        let client = try Recorder(.client, configuration)
        try client.exchange([Frame(kind: .settings), Frame(kind: .settings, flags: Frame.ack)])
        for index in UInt32(0)..<1000 {
            let id = index * 2 + 1
            #expect(!endsWithCalm(try server.exchange([.request(id, end: true)])))
            #expect(!endsWithCalm(try server.exchange([ping])))
            try client.request().endBody(trailers: nil)
            try client.output()
            #expect(!endsWithCalm(try client.exchange([ping, .reset(id, 8)])))
        }
        for recorder in [server, client] {
            // What was saved up ends, too.
            let ends = try (0..<11).contains { _ in
                endsWithCalm(try recorder.exchange([Frame](repeating: ping, count: 100)))
            }
            #expect(ends)
        }
    }

    @Test("a server may reset any number of our calls, not of streams that are none")
    func resetsOfCalls() throws {
        var configuration = HTTP2Configuration()
        configuration.resets = AbuseBudget(burst: 5, perSecond: 0)
        let client = try Recorder(.client, configuration)
        try client.exchange([Frame(kind: .settings), Frame(kind: .settings, flags: Frame.ack)])
        for index in UInt32(0)..<100 {
            let stream = try client.request()
            try client.output()
            #expect(!endsWithCalm(try client.exchange([.reset(index * 2 + 1, 7)])))
            #expect(stream.closed == .refusedStream)
        }
        #expect(client.session?.abuse == nil)
    }

    @Test("empty DATA frames are counted")
    func emptyData() throws {
        var configuration = HTTP2Configuration()
        configuration.emptyFrames = AbuseBudget(burst: 10, perSecond: 0)
        let recorder = try Recorder.server(configuration)
        try recorder.exchange([.request(1)])
        let empty = Frame.data(1, [])
        #expect(!endsWithCalm(try recorder.exchange([Frame](repeating: empty, count: 10))))
        #expect(endsWithCalm(try recorder.exchange([empty])))
    }

    @Test("streams that we are made to reset are counted (MadeYouReset, CVE-2025-8671)")
    func forcedResets() throws {
        var configuration = HTTP2Configuration()
        configuration.forcedResets = AbuseBudget(burst: 5, perSecond: 0)
        let recorder = try Recorder.server(configuration)
        var all: [Frame] = []
        for index in UInt32(0)..<8 {
            let id = index * 2 + 1
            // A body that is not as long as announced: the server must reset the stream.
            all += try recorder.exchange([
                .request(id, extra: [("content-length", "5")]), .data(id, [1], end: true),
            ])
        }
        #expect(endsWithCalm(all))
    }

    @Test("1000 quick cancels do not end the connection (gRPC clients cancel a lot)")
    func quickCancels() throws {
        let recorder = try Recorder.server()
        for index in UInt32(0)..<1000 {
            let id = index * 2 + 1
            let frames = try recorder.exchange([
                .request(id),
                Frame(kind: .reset, stream: id, payload: Frame.big(HTTP2Code.cancel.rawValue)),
            ])
            #expect(!frames.contains { $0.kind == .goaway })
        }
        #expect(recorder.session?.openStreams == 0)
    }

    @Test("SETTINGS beyond the budget end the connection")
    func settingsFlood() throws {
        var configuration = HTTP2Configuration()
        configuration.settings = AbuseBudget(burst: 4, perSecond: 0)
        let recorder = try Recorder.server(configuration)
        let frames = try recorder.exchange([Frame](repeating: Frame(kind: .settings), count: 6))
        #expect(endsWithCalm(frames))
    }
}
