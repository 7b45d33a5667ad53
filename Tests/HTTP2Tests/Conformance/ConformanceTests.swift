import Frames
import HTTP2
import Loop
import RPC
import RPCHTTP2
import Telemetry
import Testing

/// The server against bytes written by hand, by section of RFC 9113 (HTTP/2) and RFC 7541 (HPACK):
/// the cases of h2spec, and what our server does where the specification leaves a choice.
@Suite("HTTP/2 frame by frame", .timeLimit(.minutes(5)))
struct ConformanceTests {
    private static let loop = EventLoop(name: "frames")
    private static let echo = MethodDescriptor(service: "test.T", name: "Echo", kind: .unary)

    /// A server that echoes, and a connection to it that has shaken hands.
    private func connect(
        _ configuration: ServerConfiguration = ServerConfiguration(),
        preface: [UInt8] = Frame.preface + Frame.settings().bytes
    ) async throws -> (RPCServer, FramePeer) {
        var configuration = configuration
        // Pings are how these tests know that the server has dealt with what came before.
        configuration.maxPingStrikes = 100
        let quiet = Logger(label: "test", sink: .discarding)
        let router = Router(logger: quiet)
        router.handle(ConformanceTests.echo) { call in
            try call.sendOnly(try await call.receiveOnly())
        }
        let server = RPCServer(router: router, configuration: configuration, logger: quiet)
        let listener = try await server.listen(
            on: .ipv4(host: "127.0.0.1", port: 0), loop: ConformanceTests.loop)
        let peer = try await FramePeer.connect(to: listener.address, on: ConformanceTests.loop)
        peer.send(preface)
        return (server, peer)
    }

    @Test(
        arguments: ConformanceRow.accepted + ConformanceRow.connectionAndStreams
            + ConformanceRow.frameDefinitions + ConformanceRow.malformedRequests
            + ConformanceRow.compressionErrors)
    func row(_ row: ConformanceRow) async throws {
        let (_, peer) = try await connect()
        let greeting = await peer.react(to: row.before)
        #expect(greeting.frames.first?.kind == .settings, "3.4: SETTINGS come first")
        row.check(await peer.react(to: row.bytes))
        peer.close()
    }

    @Test("3.4 an invalid preface ends the connection")
    func preface() async throws {
        let (_, peer) = try await connect(preface: Array("INVALID PREFACE\r\n\r\n12345678".utf8))
        while await peer.next() != nil {}
    }

    @Test("5.1.2 streams over SETTINGS_MAX_CONCURRENT_STREAMS are refused, the others answered")
    func concurrency() async throws {
        let (_, peer) = try await connect(ServerConfiguration(maxConcurrentStreams: 3))
        let opened = await peer.react(
            to: (0..<5).flatMap { Frame.headers($0 * 2 + 1, end: false).bytes })
        let refused = opened.frames.filter { $0.kind == .reset }
        #expect(refused.map(\.stream) == [7, 9])
        #expect(refused.allSatisfy { $0.number == HTTP2Code.refusedStream.rawValue })
        let ended = await peer.react(
            to: [1, 3, 5].flatMap { Frame.data($0, Frame.message, end: true).bytes })
        #expect(ended.isOpen)
        let trailers = ended.frames.filter {
            $0.kind == .headers && $0.flags & Frame.endStream != 0
        }
        #expect(Set(trailers.map(\.stream)) == [1, 3, 5])
    }

    @Test("6.5.3 SETTINGS are acknowledged; 6.7 PING is answered with its octets")
    func acknowledgements() async throws {
        let (_, peer) = try await connect()
        let payload: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let reaction = await peer.react(
            to: Frame.settings([(3, 100)]).bytes + Frame(kind: .ping, payload: payload).bytes)
        // One of the preface, one of these.
        #expect(reaction.frames.filter { $0.kind == .settings && $0.flags == Frame.ack }.count == 2)
        #expect(reaction.frames.contains { $0.kind == .ping && $0.payload == payload })
    }

    @Test("6.8 GOAWAY of the client: the open stream is answered, then the connection ends")
    func goaway() async throws {
        for code: UInt32 in [0, 0xff] {
            let (_, peer) = try await connect()
            peer.send([.headers(1, end: false), .goaway(code), .data(1, Frame.message, end: true)])
            let data = await peer.next(.data)
            #expect(data?.payload == Frame.message)
            #expect(await peer.next(.headers)?.flags == Frame.endStream | Frame.endHeaders)
            while await peer.next() != nil {}
        }
    }

    // MARK: The client's windows

    private let request = [Frame.headers(1, end: false), Frame.data(1, Frame.message, end: true)]

    @Test("6.9.1 a window of 1: the answer comes octet by octet")
    func tinyWindow() async throws {
        let (_, peer) = try await connect()
        let first = await peer.react(to: (([.settings([(4, 1)])] + request).flatMap(\.bytes)))
        #expect(first.frames.filter { $0.kind == .data }.map(\.payload) == [[0]])
        let second = await peer.react(to: Frame.windowUpdate(1, 2).bytes)
        #expect(second.frames.map(\.payload) == [[0, 0]])
        let rest = await peer.react(to: Frame.windowUpdate(1, 3).bytes)
        #expect(rest.frames.first?.payload == [0, 1, 7])
        #expect(rest.frames.last?.flags == Frame.endStream | Frame.endHeaders)
    }

    @Test("6.5.3 of two values of one setting in a frame the last counts")
    func settingTwice() async throws {
        let (_, peer) = try await connect()
        let frames = [.settings([(4, 100), (4, 1)])] + request
        let reaction = await peer.react(to: frames.flatMap(\.bytes))
        #expect(reaction.frames.filter { $0.kind == .data }.map(\.payload) == [[0]])
    }

    @Test("6.9.2 INITIAL_WINDOW_SIZE changes open streams")
    func changedWindow() async throws {
        let (_, peer) = try await connect()
        let shut = await peer.react(to: ([.settings([(4, 0)])] + request).flatMap(\.bytes))
        #expect(!shut.frames.contains { $0.kind == .data })
        let open = await peer.react(to: Frame.settings([(4, 1)]).bytes)
        #expect(open.frames.filter { $0.kind == .data }.map(\.payload) == [[0]])
    }

    @Test("6.9.2 a window can become negative, and then needs more than its debt")
    func negativeWindow() async throws {
        let (_, peer) = try await connect()
        let three = await peer.react(to: ([.settings([(4, 3)])] + request).flatMap(\.bytes))
        #expect(three.frames.filter { $0.kind == .data }.map(\.payload) == [[0, 0, 0]])
        // 2 - 3 = -1.
        let debt = await peer.react(
            to: Frame.settings([(4, 2)]).bytes + Frame.windowUpdate(1, 1).bytes)
        #expect(!debt.frames.contains { $0.kind == .data })
        let paid = await peer.react(to: Frame.windowUpdate(1, 1).bytes)
        #expect(paid.frames.map(\.payload) == [[0]])
    }
}
