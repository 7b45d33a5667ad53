import Environment
import Frames
import HTTP2
import RPC
import RPCHTTP2
import TestKit
import Testing

/// rpc.md §7, table 1: each row against a real server, with an honest client beside it that is
/// served during and after.
@Suite("Hostile peers: an honest client beside them is served on", .timeLimit(.minutes(5)))
struct HostilePeerTests {
    private static func configured(
        _ change: (inout HTTP2Configuration) -> Void
    ) -> ServerConfiguration {
        var configuration = ServerConfiguration()
        change(&configuration.http2)
        return configuration
    }

    private static let gRPC = [("content-type", "application/grpc"), ("te", "trailers")]

    private static func request(_ stream: UInt32, _ path: String = "/test.T/Unary") -> Frame {
        .request(stream, path: path, extra: gRPC)
    }

    /// Stream ids of a client: 1, 3, 5, …
    private static func ids(_ count: Int) -> [UInt32] { (0..<UInt32(count)).map { $0 * 2 + 1 } }

    // MARK: Resets

    @Test("rapid reset: no more handlers run at once than streams are allowed; then GOAWAY")
    func rapidReset() async throws {
        let bed = try await HostileBed(
            Self.configured {
                $0.maxConcurrentStreams = 10
                $0.resets = AbuseBudget(burst: 500, perSecond: 0)
            })
        let peer = try await FramePeer.connect(to: bed.server)
        // Ten handlers that run, so that what follows comes on top of them.
        try await peer.send(Self.ids(10).map { Self.request($0, "/test.T/Bidi") })
        #expect(try await eventually { bed.handlers.now == 10 })
        try await peer.send(Self.ids(10).map { .reset($0, code: 8) })
        try await peer.send(
            Self.ids(501).dropFirst(10).flatMap {
                [Self.request($0, "/test.T/Bidi"), .reset($0, code: 8)]
            })
        #expect(await peer.farewell() == "too_many_resets")
        #expect(bed.handlers.most == 10)
        #expect(bed.abuse("too_many_resets") == 1)
        #expect(try await eventually { bed.handlers.now == 0 })
        try await bed.honestIsServed()
    }

    @Test(
        "made you reset (CVE-2025-8671): frames that force us to reset streams are counted",
        arguments: [
            [request(1), .windowUpdate(1, 0x7fff_ffff)],
            [.request(1, extra: [("connection", "close")])],
            [.request(1, extra: gRPC + [("content-length", "5")]), .data(1, [1], end: true)],
        ])
    func madeYouReset(force: [Frame]) async throws {
        let bed = try await HostileBed(
            Self.configured { $0.forcedResets = AbuseBudget(burst: 20, perSecond: 0) })
        let peer = try await FramePeer.connect(to: bed.server)
        for id in Self.ids(21) {
            try await peer.send(
                force.map { frame in
                    var frame = frame
                    frame.stream = id
                    return frame
                })
        }
        #expect(await peer.farewell() == "too_many_forced_resets")
        #expect(bed.abuse("too_many_forced_resets") == 1)
        try await bed.honestIsServed()
    }

    @Test("streams beyond the limit are refused one by one; the others go on")
    func streamLimit() async throws {
        let bed = try await HostileBed(Self.configured { $0.maxConcurrentStreams = 3 })
        let peer = try await FramePeer.connect(to: bed.server)
        try await peer.send(Self.ids(8).map { Self.request($0, "/test.T/Bidi") })
        for id in Self.ids(8).dropFirst(3) {
            #expect(await peer.next(.reset, stream: id)?.number == 7)
        }
        try await peer.send([.data(1, [], end: true)])
        let headers = await peer.next(.headers, stream: 1)
        #expect(headers != nil)
        #expect(bed.value("grpc_server_refused_streams_total") == 5)
        try await bed.honestIsServed()
    }

    // MARK: Headers

    @Test("CONTINUATION flood (CVE-2024-28182): the block is not gathered, the connection ends")
    func continuationFlood() async throws {
        let bed = try await HostileBed()
        let peer = try await FramePeer.connect(to: bed.server)
        var head = Self.request(1)
        head.flags = 0
        let more = Frame(
            kind: .continuation, stream: 1, payload: Frame.block([("x-y", "z")]))
        try await peer.send([head] + [Frame](repeating: more, count: 1000))
        #expect(await peer.next { _ in false } == nil)
        #expect(bed.abuse("flood") == 1)
        try await bed.honestIsServed()
    }

    @Test("HPACK bomb: one byte per field, kilobytes each: the stream is reset, nothing is kept")
    func hpackBomb() async throws {
        let bed = try await HostileBed()
        let peer = try await FramePeer.connect(to: bed.server)
        // A literal with indexing (RFC 7541 §6.2.1) of 3,000 bytes, then 15,000 references to it.
        let long =
            [0x40, 1, UInt8(ascii: "b"), 0x7f, 0xb9, 0x16] + [UInt8](repeating: 97, count: 3000)
        var bomb = Self.request(1)
        bomb.payload += long + [UInt8](repeating: 0xbe, count: 12_000)
        try await peer.send([bomb])
        #expect(await peer.next(.reset, stream: 1)?.number == 2)
        // The compression state is whole: the connection is of use.
        try await peer.send([Self.request(3), .data(3, [0, 0, 0, 0, 0], end: true)])
        #expect(await peer.next(.headers, stream: 3) != nil)
        try await bed.honestIsServed()
    }

    @Test("many tiny fields are RESOURCE_EXHAUSTED for that call alone")
    func manyTinyFields() async throws {
        let bed = try await HostileBed()
        let peer = try await FramePeer.connect(to: bed.server)
        var many = Self.request(1)
        many.payload += (0..<200).flatMap { _ in Frame.block([("a", "")]) }
        try await peer.send([many])
        #expect(await peer.next(.headers, stream: 1) != nil)
        try await peer.send([Self.request(3), .data(3, [0, 0, 0, 0, 0], end: true)])
        #expect(await peer.next(.data, stream: 3) != nil)
        try await bed.honestIsServed()
    }

    @Test("a header block that never ends has a time limit")
    func slowHeaders() async throws {
        var configuration = ServerConfiguration()
        configuration.headerTimeout = .milliseconds(50)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server)
        try await peer.send(bytes: Array(Self.request(1).bytes.dropLast(5)))
        #expect(await peer.farewell() == "header_timeout")
        #expect(bed.abuse("header_timeout") == 1)
        try await bed.honestIsServed()
    }

    // MARK: Floods

    @Test(
        "frames that cost the peer nothing have a budget",
        arguments: [
            ("too_many_settings", [.settings()]),
            ("too_many_pings", [.ping()]),
            ("too_many_empty_frames", [.data(1, [])]),
            (
                "too_many_empty_frames",
                [Frame(kind: .data, flags: 8, stream: 1, payload: [3, 0, 0, 0])]
            ),
            ("too_many_window_updates", [.windowUpdate(0, 1)]),
            ("too_many_window_updates", [.windowUpdate(1, 1)]),
        ] as [(String, [Frame])])
    func floods(kind: String, frames: [Frame]) async throws {
        let bed = try await HostileBed()
        let peer = try await FramePeer.connect(to: bed.server)
        try await peer.send([Self.request(1, "/test.T/Bidi")])
        try await peer.send([[Frame]](repeating: frames, count: 3000).flatMap { $0 })
        #expect(await peer.farewell() == kind)
        #expect(bed.abuse(kind) == 1)
        try await bed.honestIsServed()
    }

    @Test("a peer that pings and reads nothing does not make us queue answers without end")
    func unreadPongs() async throws {
        var configuration = ServerConfiguration()
        configuration.http2.pings = AbuseBudget(burst: 1_000_000_000, perSecond: 0)
        configuration.permitsPingsWithoutCalls = true
        configuration.minPingInterval = .zero
        configuration.sendStallTimeout = .milliseconds(50)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server)
        try await peer.send([Self.request(1, "/test.T/Bidi")])
        try await peer.stopReading()
        let pings = [Frame](repeating: .ping(), count: 10_000).flatMap(\.bytes)
        for _ in 0..<40 { try await peer.send(bytes: pings) }
        #expect(
            try await eventually {
                bed.abuse("flood") == 1
                    || bed.value(
                        "grpc_server_connections_closed_total{cause=\"send_stall_timeout\"}") == 1
            })
        try await bed.honestIsServed()
    }

    // MARK: Readers that do not read

    @Test("slow read: what waits is bounded, and who takes nothing is closed")
    func slowRead() async throws {
        var configuration = ServerConfiguration()
        configuration.sendStallTimeout = .milliseconds(100)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let wide: [(UInt16, UInt32)] = [(4, 0x7fff_ffff)]
        let peer = try await FramePeer.connect(to: bed.server, settings: wide)
        try await peer.stopReading()
        try await peer.send([.windowUpdate(0, 0x7000_0000)])
        for id in Self.ids(20) {
            try await peer.send([
                Self.request(id, "/test.T/Server"), .data(id, [0, 0, 0, 0, 0], end: true),
            ])
        }
        try await bed.honestIsServed()
        #expect(try await bed.closed("send_stall_timeout"))
        try await bed.honestIsServed()
    }

    @Test("stalled window: the stream that takes nothing is reset, its neighbours live")
    func stalledWindow() async throws {
        var configuration = ServerConfiguration()
        configuration.sendStallTimeout = .milliseconds(100)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server, settings: [(4, 0)])
        for id in Self.ids(2) {
            try await peer.send([Self.request(id), .data(id, [0, 0, 0, 0, 1, 7], end: true)])
        }
        try await peer.send([
            Self.request(5), .windowUpdate(5, 100), .data(5, [0, 0, 0, 0, 1, 7], end: true),
        ])
        // In any order, also before the answer when the machine is busy.
        var frames: [Frame?] = []
        for _ in 0..<3 {
            frames.append(
                await peer.next { $0.kind == .reset || $0.kind == .data && $0.stream == 5 })
        }
        #expect(frames.first { $0?.kind == .data }??.payload == [0, 0, 0, 0, 1, 7])
        let resets = frames.filter { $0?.kind == .reset }
        #expect(Set(resets.map { $0?.stream }) == [1, 3])
        #expect(resets.map { $0?.number } == [8, 8])
        #expect(bed.value("grpc_server_stalled_streams_total") == 2)
        try await peer.send([
            Self.request(7), .windowUpdate(7, 100), .data(7, [0, 0, 0, 0, 0], end: true),
        ])
        #expect(await peer.next(.data, stream: 7) != nil)
        try await bed.honestIsServed()
    }

    @Test("answers that nobody takes are in the connection's budget: the next call is refused")
    func unreadAnswers() async throws {
        let bed = try await HostileBed(ServerConfiguration(maxConnectionBytes: 500_000))
        let peer = try await FramePeer.connect(to: bed.server, settings: [(4, 0)])
        let message = [0, 0, 3, 0x0d, 0x40] + [UInt8](repeating: 1, count: 200_000)
        for id in Self.ids(3) {
            try await peer.send([Self.request(id)])
            for piece in stride(from: 0, to: message.count, by: 16_000) {
                let end = min(piece + 16_000, message.count)
                try await peer.send([
                    .data(id, Array(message[piece..<end]), end: end == message.count)
                ])
            }
        }
        // The third answer would be too much: the status goes alone.
        let trailers = await peer.next {
            $0.kind == .reset || $0.kind == .headers && $0.stream == 5
        }
        #expect(trailers?.stream == 5)
        try await bed.honestIsServed()
    }

    // MARK: Connections that do nothing

    @Test("a connection that says nothing is closed in time")
    func silence() async throws {
        var configuration = ServerConfiguration()
        configuration.handshakeTimeout = .milliseconds(50)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server, settings: nil)
        #expect(await peer.next { _ in false } == nil)
        #expect(try await bed.closed("handshake_timeout"))
        try await bed.honestIsServed()
    }

    @Test("SETTINGS that are not acknowledged: GOAWAY SETTINGS_TIMEOUT")
    func settingsTimeout() async throws {
        var configuration = ServerConfiguration()
        configuration.settingsTimeout = .milliseconds(500)
        let bed = try await HostileBed(configuration, honestMayBeLate: true)
        let peer = try await FramePeer.connect(to: bed.server, acknowledges: false)
        let goaway = await peer.next(.goaway)
        #expect(goaway?.secondNumber == HTTP2Code.settingsTimeout.rawValue)
        #expect(try await bed.closed("settings_timeout"))
        try await bed.honestIsServed()
    }

    @Test("connections beyond the limit hear why; a place that is free is taken")
    func tooManyConnections() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionsPerAddress = 2
        let bed = try await HostileBed(configuration)
        let second = try await FramePeer.connect(to: bed.server)
        try await second.send([.ping()])
        #expect(await second.next(.ping) != nil)
        let third = try await FramePeer.connect(to: bed.server)
        #expect(await third.farewell() == "too_many_connections")
        try await second.close()
        #expect(try await bed.closed("closed_by_peer"))
        let fourth = try await FramePeer.connect(to: bed.server)
        try await fourth.send([.ping()])
        #expect(await fourth.next(.ping) != nil)
        try await bed.honestIsServed()
    }

    @Test("gRPC A8: three pings too early without a call, GOAWAY ENHANCE_YOUR_CALM")
    func pingStrikes() async throws {
        let bed = try await HostileBed()
        let peer = try await FramePeer.connect(to: bed.server)
        try await peer.send([.ping(), .ping(), .ping()])
        for _ in 0..<3 { #expect(await peer.next(.ping) != nil) }
        try await peer.send([.ping()])
        let goaway = await peer.next { $0.kind == .goaway && $0.payload.count > 8 }
        #expect(goaway?.secondNumber == HTTP2Code.enhanceYourCalm.rawValue)
        #expect(goaway?.debugText == "too_many_pings")
        try await bed.honestIsServed()
    }
}
