import HTTP2
import Loop
import RPC
import RPCHTTP2
import TestKit
import Testing

@Suite("gRPC over HTTP/2: what a peer may get wrong", .timeLimit(.minutes(5)))
struct ProtocolTests {
    private func bed() async throws -> (TestServer, RawPeer) {
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                try call.sendOnly(try await call.receiveOnly())
            }
        }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        return (server, peer)
    }

    @Test("a message in five pieces, across its prefix")
    func splitMessage() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(pieces: [[0, 0], [0, 0, 3], [1], [2], [3]])
        #expect(answer.status == "0")
        #expect(answer.body == [0, 0, 0, 0, 3, 1, 2, 3])
        #expect(answer.fields["content-type"] == "application/grpc")
        #expect(answer.headerBlocks == 2)
    }

    @Test(
        "content-type",
        arguments: [
            ("application/grpc", "200"), ("application/grpc+proto", "200"),
            ("application/grpc;x=y", "200"), ("application/grpcx", "415"),
            ("text/plain", "415"), (nil, "415"),
        ] as [(String?, String)])
    func contentType(type: String?, status: String) async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(contentType: type)
        #expect(answer.fields[":status"] == status)
        #expect(answer.status == (status == "200" ? "0" : nil))
    }

    @Test("only POST")
    func httpMethod() async throws {
        let (_, peer) = try await bed()
        #expect(try await peer.request(method: "GET").fields[":status"] == "405")
    }

    @Test(
        "a deadline in the far future is no deadline at all", arguments: ["99999999H", "2562048H"])
    func farDeadline(timeout: String) async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: "/test.T/Unary", extra: [("grpc-timeout", timeout)], pieces: [[0, 0, 0, 0, 0]])
        #expect(answer.status == "0")
    }

    @Test(
        "broken requests get the status that the specification says, in one header block",
        arguments: [
            ("/no.S/M", [], [[0, 0, 0, 0, 0]], "12"),
            ("/test.T/Unary", [("grpc-encoding", "snappy")], [[0, 0, 0, 0, 0]], "12"),
            ("/test.T/Unary", [("grpc-timeout", "soon")], [[0, 0, 0, 0, 0]], "13"),
            ("/test.T/Unary", [("grpc-timeout", "0n")], [[0, 0, 0, 0, 0]], "4"),
            ("/test.T/Unary", [], [[1, 0, 0, 0, 1, 9]], "13"),
            ("/test.T/Unary", [], [[0, 0xff, 0xff, 0xff, 0xff]], "8"),
            ("/test.T/Unary", [], [[0, 0, 0, 0, 2, 1]], "13"),
            ("/test.T/Unary", [], [], "12"),
            ("/test.T/Unary", [], [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], "12"),
        ] as [(String, [(String, String)], [[UInt8]], String)])
    func brokenRequests(
        path: String, extra: [(String, String)], pieces: [[UInt8]], status: String
    ) async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(path: path, extra: extra, pieces: pieces)
        #expect(answer.fields[":status"] == "200")
        #expect(answer.status == status)
        #expect(answer.headerBlocks == 1)
        if extra.first?.0 == "grpc-encoding" {
            #expect(answer.fields["grpc-accept-encoding"] == "identity,gzip,deflate")
        }
        // One bad stream never costs the connection.
        #expect(try await peer.request().status == "0")
    }

    @Test("headers over the list limit are RESOURCE_EXHAUSTED and the connection lives on")
    func largeHeaders() async throws {
        let (_, peer) = try await bed()
        let extra = (0..<10).map { ("x-\($0)", String(repeating: "v", count: 2000)) }
        #expect(try await peer.request(extra: extra).status == "8")
        #expect(try await peer.request().status == "0")
    }

    @Test("bytes that are no HTTP/2 close the connection")
    func notHTTP2() async throws {
        let (server, _) = try await bed()
        let loop = EventLoop(name: "raw")
        let closed = Signal<Bool>()
        let socket = try await StreamSocket.connect(to: server.address, on: loop)
        try await loop.submit {
            socket.setHandler(Closes(closed))
            socket.startReading()
            socket.write(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        }
        #expect(try await closed.wait())
    }

    private final class Closes: StreamSocketHandler {
        private let closed: Signal<Bool>
        init(_ closed: Signal<Bool>) { self.closed = closed }
        func socketDidRead(_ bytes: UnsafeRawBufferPointer) {}
        func socketDidEnd() { Task { [closed] in await closed.set(true) } }
        func socketDidDrain() {}
        func socketDidClose(_ error: (any Error)?) { Task { [closed] in await closed.set(true) } }
    }
}
