import Compression
import Loop
import RPC
import TestKit
import Testing

@testable import RPCHTTP2

@Suite("gRPC-Web and Connect over HTTP/1.1", .timeLimit(.minutes(1)))
struct HTTP1Tests {
    private static let json = "application/json"

    private func bed(
        _ configuration: ServerConfiguration = ServerConfiguration()
    ) async throws -> (TestServer, TextPeer) {
        let server = try await WebBed.server(configuration)
        return (server, try await TextPeer.connect(to: server))
    }

    private func book(_ json: String, _ extra: [String] = []) -> [UInt8] {
        TextPeer.post("Book", Self.json, Array(json.utf8), extra)
    }

    // MARK: Calls

    @Test("Connect unary: metadata, deadline, headers, trailers, a length; the connection stays")
    func unary() async throws {
        let (_, peer) = try await bed()
        for count in 1...3 {
            let answer = try await peer.ask(
                book(#"{"id":"b\#(count)"}"#, ["X-Note: n", "Connect-Timeout-Ms: 99500"]))
            #expect(answer?.status == 200)
            #expect(answer?.first("content-type") == "application/json")
            #expect(answer?.first("x-head") == "h")
            #expect(answer?.first("trailer-x-tail") == "t")
            #expect(answer?.first("transfer-encoding") == nil)
            #expect(answer?.first("date")?.hasSuffix(" GMT") == true)
            #expect(answer?.body.text == #"{"id":"b\#(count)","endUnix":"99","note":"n"}"#)
        }
    }

    @Test("one byte at a time, in chunks, compressed both ways")
    func pieces() async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = .gzip
        let (_, peer) = try await bed(configuration)
        for byte in book(#"{"id":"slow"}"#) { try await peer.send([byte]) }
        #expect(await peer.next()?.body.text == #"{"id":"slow"}"#)
        let note = String(repeating: "n", count: 3000)
        let packed = try CompressionAlgorithm.gzip.compress(Array(#"{"note":"\#(note)"}"#.utf8))
        let answer = try await peer.ask(
            TextPeer.post(
                "Book", Self.json, chunks: packed.map { [$0] },
                ["Content-Encoding: gzip", "Accept-Encoding: gzip"]))
        #expect(answer?.first("content-encoding") == "gzip")
        let body = try CompressionAlgorithm.gzip.decompress(answer?.body ?? [], limit: 4000)
        #expect(body.text == #"{"note":"\#(note)","confirmed":true}"#)
    }

    @Test("a failure in the form of the protocol; Connect GET")
    func failureAndGet() async throws {
        let (_, peer) = try await bed()
        let failed = try await peer.ask(book(#"{"id":"fail"}"#))
        #expect(failed?.status == 400)
        #expect(failed?.body.text.hasPrefix(#"{"code":"failed_precondition""#) == true)
        let target = "/bench.Bench/Book?connect=v1&encoding=json&message=%7B%22id%22%3A%22g%22%7D"
        let got = try await peer.ask(Array("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        #expect(got?.status == 200)
        #expect(got?.body.text == #"{"id":"g"}"#)
        let refused = try await peer.ask(
            Array("GET /bench.Bench/Echo HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        #expect(refused?.status == 405)
        #expect(refused?.first("allow") == "POST")
    }

    @Test("server streams leave in chunks as they come", arguments: ["connect", "grpc-web"])
    func streams(protocolName: String) async throws {
        let gate = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                try await call.send([1])
                _ = try await gate.wait()
                try await call.send([2])
            }
        }
        let peer = try await TextPeer.connect(to: server)
        let isConnect = protocolName == "connect"
        let type = isConnect ? "application/connect+proto" : "application/grpc-web+proto"
        var request = TextPeer.post("X", type, WebBed.frame(0, []))
        request = Array(request.text.replacing("bench.Bench/X", with: "test.T/Server").utf8)
        try await peer.send(request)
        let begun = await peer.begun(bodyBytes: 6)
        #expect(begun?.first("transfer-encoding") == "chunked")
        #expect(begun?.body == WebBed.frame(0, [1]))
        await gate.set(true)
        let frames = WebBed.frames(await peer.next()?.body ?? [])
        #expect(frames.map(\.flag) == [0, 0, isConnect ? 2 : 0x80])
        #expect(frames.last?.bytes.text == (isConnect ? "{}" : "grpc-status: 0\r\n"))
        // And the connection goes on.
        await gate.set(true)
        #expect(try await peer.ask(request)?.status == 200)
    }

    @Test("a client stream; gRPC-Web in base64")
    func clientStream() async throws {
        let server = try await TestServer { router in
            router.handle(Methods.client) { call in
                var sum: [UInt8] = []
                while let message = try await call.receive() { sum += message }
                try call.sendOnly(sum)
            }
        }
        let peer = try await TextPeer.connect(to: server)
        func request(_ type: String, _ chunks: [[UInt8]]) -> [UInt8] {
            Array(
                TextPeer.post("X", type, chunks: chunks).text
                    .replacing("bench.Bench/X", with: "test.T/Client").utf8)
        }
        let frames = [[1], [2, 3], [4]].map { WebBed.frame(0, $0) }
        let connect = try await peer.ask(request("application/connect+proto", frames))
        #expect(WebBed.frames(connect?.body ?? [])[0].bytes == [1, 2, 3, 4])
        let text = try await peer.ask(
            request("application/grpc-web-text", frames.map { Base64Stream.encode($0) }))
        #expect(text?.first("content-type") == "application/grpc-web-text")
        #expect(text?.body.text.hasPrefix("AAAAAAQBAgME") == true)
    }

    // MARK: The rules of HTTP/1.1

    @Test("requests in one write are answered in order")
    func pipelining() async throws {
        let (_, peer) = try await bed()
        let requests = (0..<200).flatMap { book(#"{"id":"\#($0)"}"#) }
        try await peer.send(requests)
        for index in 0..<200 {
            #expect(await peer.next()?.body.text == #"{"id":"\#(index)"}"#)
        }
    }

    @Test("Connection: close and HTTP/1.0 end the connection behind the answer")
    func close() async throws {
        let (server, peer) = try await bed()
        let last = try await peer.ask(book("{}", ["Connection: close"]))
        #expect(last?.first("connection") == "close")
        #expect(await peer.isClosedWithoutAnswer())
        let old = try await TextPeer.connect(to: server)
        let text = book("{}").text.replacing("HTTP/1.1", with: "HTTP/1.0")
        #expect(try await old.ask(Array(text.utf8))?.body.text == "{}")
        #expect(await old.isClosedWithoutAnswer())
    }

    @Test("Expect: 100-continue is answered before the body, and not when the request is refused")
    func expectation() async throws {
        let (server, peer) = try await bed()
        let request = book(#"{"id":"b"}"#, ["Expect: 100-continue"])
        try await peer.send(Array(request.dropLast(10)))
        #expect(await peer.interim() == 100)
        try await peer.send(Array(request.suffix(10)))
        #expect(await peer.next()?.body.text == #"{"id":"b"}"#)
        let refused = TextPeer.post("Book", "text/plain", [1], ["Expect: 100-continue"])
        let answer = try await peer.ask(Array(refused.dropLast(1)))
        #expect(answer?.status == 415)
        #expect(answer?.first("connection") == "close")
        #expect(await peer.interim() == nil)
        _ = server
    }

    @Test("what only HTTP/2 carries is 505")
    func needsHTTP2() async throws {
        let (_, peer) = try await bed()
        let gRPC = try await peer.ask(TextPeer.post("Echo", "application/grpc", [0, 0, 0, 0, 0]))
        #expect(gRPC?.status == 505)
        #expect(gRPC?.body.text.contains("HTTP/2") == true)
        let both = try await peer.ask(
            TextPeer.post("PingPong", "application/connect+json", WebBed.frame(0, "{}")))
        #expect(both?.status == 505)
        #expect(try await peer.ask(book("{}"))?.status == 200)
    }

    @Test("a page of another origin may call, as over HTTP/2")
    func crossOrigin() async throws {
        var configuration = ServerConfiguration()
        configuration.web.allowedOrigins = ["https://app.example"]
        let (_, peer) = try await bed(configuration)
        let preflight = try await peer.ask(
            Array(
                """
                OPTIONS /bench.Bench/Book HTTP/1.1\r
                Host: x\r
                Origin: https://app.example\r
                Access-Control-Request-Method: POST\r
                Access-Control-Request-Headers: x-note\r
                \r\n
                """.utf8))
        #expect(preflight?.status == 204)
        #expect(preflight?.first("access-control-allow-headers") == "x-note")
        let answer = try await peer.ask(book("{}", ["Origin: https://app.example"]))
        #expect(answer?.first("access-control-allow-origin") == "https://app.example")
        let stranger = try await peer.ask(book("{}", ["Origin: https://evil.example"]))
        #expect(stranger?.first("access-control-allow-origin") == nil)
    }

    // MARK: Hostile clients

    @Test(
        "what is no request is refused and the connection closed",
        arguments: [
            ("POST /bench.Bench/Book HTTP/1.1\r\n\r\n", 400),
            ("POST /bench.Bench/Book HTTP/1.1\nHost: x\n\n", 400),
            ("POST /bench.Bench/Book HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", 400),
            (
                "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n", 400
            ),
            ("POST /bench.Bench/Book HTTP/3.0\r\nHost: x\r\n\r\n", 505),
            ("GET /" + String(repeating: "a", count: 20_000) + " HTTP/1.1\r\n\r\n", 414),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 20_000)
                    + "\r\n\r\n", 431
            ),
            (
                "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 200)
                    + "\r\n", 431
            ),
        ])
    func malformed(text: String, status: Int) async throws {
        let (server, peer) = try await bed()
        let answer = try await peer.ask(Array(text.utf8))
        #expect(answer?.status == status || status == 414 && answer?.status == 431)
        #expect(answer?.first("connection") == "close")
        #expect(await peer.isClosedWithoutAnswer())
        let honest = try await TextPeer.connect(to: server)
        #expect(try await honest.ask(book("{}"))?.status == 200)
    }

    @Test("a body that breaks its own framing fails the call and the connection")
    func brokenBody() async throws {
        let (_, peer) = try await bed()
        try await peer.send(TextPeer.post("Book", Self.json, chunks: []).dropLast(5) + [])
        let answer = try await peer.ask(Array("xyz\r\n".utf8))
        #expect(answer?.status == 400)
        #expect(answer?.body.text.hasPrefix(#"{"code":"invalid_argument""#) == true)
        #expect(answer?.first("connection") == "close")
        #expect(await peer.isClosedWithoutAnswer())
    }

    @Test("a message over the limit is RESOURCE_EXHAUSTED; a long body of no use ends it all")
    func tooLarge() async throws {
        var configuration = ServerConfiguration()
        configuration.maxMessageBytes = 1000
        let (server, peer) = try await bed(configuration)
        let large = book(String(repeating: " ", count: 100_000))
        let answer = try await peer.ask(large)
        #expect(answer?.status == 429)
        #expect(answer?.body.text.hasPrefix(#"{"code":"resource_exhausted""#) == true)
        // The rest was skipped.
        #expect(try await peer.ask(book("{}"))?.status == 200)
        let endless = try await TextPeer.connect(to: server)
        let head = TextPeer.post("Book", Self.json, chunks: []).dropLast(5)
        try await endless.send(Array(head))
        let chunk = Array("8000\r\n".utf8) + [UInt8](repeating: 32, count: 0x8000) + [13, 10]
        for _ in 0..<9 { try await endless.send(chunk) }
        #expect(await endless.next()?.status == 429)
        #expect(await endless.isClosedWithoutAnswer())
    }

    @Test("slow heads, slow bodies and silence end after their limits")
    func slowness() async throws {
        var configuration = ServerConfiguration()
        configuration.headerTimeout = .milliseconds(60)
        configuration.web.bodyTimeout = .milliseconds(60)
        configuration.web.keepAliveTimeout = .milliseconds(60)
        let bed = try await HostileBed(configuration)
        let head = try await TextPeer.connect(to: bed.server)
        try await head.send("POST /test.T/Unary HTTP/1.1\r\nHost:")
        // Each line within the limit, the head not.
        for _ in 0..<3 {
            try await head.loop.sleep(for: .milliseconds(15))
            try? await head.send(" x\r\nA:")
        }
        #expect(await head.next()?.status == 408)
        #expect(bed.abuse("header_timeout") == 1)

        let body = try await TextPeer.connect(to: bed.server)
        try await body.send(
            "POST /test.T/Unary HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n"
                + "Content-Length: 9\r\n\r\nabc")
        let late = await body.next()
        #expect(late?.status == 504)
        #expect(late?.first("connection") == "close")

        let idle = try await TextPeer.connect(to: bed.server)
        let request =
            "POST /test.T/Unary HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n"
            + "Content-Length: 1\r\n\r\na"
        #expect(try await idle.ask(Array(request.utf8))?.body.text == "a")
        #expect(await idle.isClosedWithoutAnswer())
        #expect(try await bed.closed("max_idle"))
        try await bed.honestIsServed()
    }

    @Test("who does not say which HTTP it speaks is closed")
    func undecided() async throws {
        var configuration = ServerConfiguration()
        configuration.handshakeTimeout = .milliseconds(60)
        let server = try await WebBed.server(configuration)
        let peer = try await TextPeer.connect(to: server)
        try await peer.send("P")
        #expect(await peer.isClosedWithoutAnswer())
    }

    @Test("a client that does not read waits, and is closed in the end; its handler ends")
    func doesNotRead() async throws {
        var configuration = ServerConfiguration()
        configuration.sendStallTimeout = .milliseconds(80)
        let sent = HandlerCount()
        let ended = Signal<Bool>()
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                do {
                    while true {
                        sent.begin()
                        try await call.send([UInt8](repeating: 7, count: 50_000))
                    }
                } catch {
                    await ended.set(true)
                }
            }
        }
        let peer = try await TextPeer.connect(to: server)
        try await peer.stopReading()
        let request = TextPeer.post("X", "application/connect+proto", WebBed.frame(0, [])).text
        try await peer.send(request.replacing("bench.Bench/X", with: "test.T/Server"))
        #expect(try await ended.wait())
        // The kernel's buffers and one window, never all that the handler could make.
        #expect(sent.now < 400)
    }

    @Test("many requests whose answers nobody reads: the next are not begun")
    func doesNotReadAnswers() async throws {
        let begun = HandlerCount()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                begun.begin()
                _ = try await call.receiveOnly()
                try call.sendOnly([UInt8](repeating: 7, count: 1 << 20))
            }
        }
        let peer = try await TextPeer.connect(to: server)
        try await peer.stopReading()
        let request = TextPeer.post("X", "application/proto", [1]).text
            .replacing("bench.Bench/X", with: "test.T/Unary")
        try await peer.send(String(repeating: request, count: 100))
        #expect(try await eventually { begun.now > 0 })
        let honest = try await TextPeer.connect(to: server)
        for _ in 0..<5 {
            #expect(try await honest.ask(Array(request.utf8))?.body.count == 1 << 20)
        }
        #expect(begun.now < 5 + 20)
        try await peer.startReading()
        for _ in 0..<100 { try #require(await peer.next()?.body.count == 1 << 20) }
    }

    @Test("a client that goes away cancels the handler")
    func cancel() async throws {
        let started = Signal<Bool>()
        let cancelled = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                _ = try await call.receiveOnly()
                await started.set(true)
                do {
                    while true { try await call.loop.sleep(for: .seconds(60)) }
                } catch {
                    await cancelled.set(call.context.isCancelled)
                }
            }
        }
        let peer = try await TextPeer.connect(to: server)
        let request = TextPeer.post("X", "application/proto", [1]).text
        try await peer.send(request.replacing("bench.Bench/X", with: "test.T/Unary"))
        _ = try await started.wait()
        try await peer.close()
        #expect(try await cancelled.wait())
    }

    // MARK: The connection

    @Test("drain: a call that runs is answered with Connection: close, resting ones are closed")
    func drain() async throws {
        let gate = Signal<Bool>()
        let running = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                await running.set(true)
                _ = try await gate.wait()
                try call.sendOnly([1])
            }
        }
        let request = Array(
            TextPeer.post("X", "application/proto", [1]).text
                .replacing("bench.Bench/X", with: "test.T/Unary").utf8)
        let busy = try await TextPeer.connect(to: server)
        try await busy.send(request)
        _ = try await running.wait()
        let resting = try await TextPeer.connect(to: server)
        try await resting.send("POST /x HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await resting.next()?.status == 415)
        async let report = server.server.drain()
        #expect(await resting.isClosedWithoutAnswer())
        await gate.set(true)
        let answer = await busy.next()
        #expect(answer?.body == [1])
        #expect(answer?.first("connection") == "close")
        let found = await report
        #expect(found.connections == 2)
        #expect(found.running.map(\.method) == ["/test.T/Unary"])
        #expect(found.cancelled.isEmpty)
    }

    @Test("the end of the grace: UNAVAILABLE in the form of the protocol")
    func drainWithoutPatience() async throws {
        let server = try await TestServer { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                try await call.send([1])
                while true { try await call.loop.sleep(for: .seconds(60)) }
            }
        }
        let peer = try await TextPeer.connect(to: server)
        let request = TextPeer.post("X", "application/connect+proto", WebBed.frame(0, [])).text
        try await peer.send(request.replacing("bench.Bench/X", with: "test.T/Server"))
        _ = await peer.begun(bodyBytes: 6)
        let report = await server.server.drain(grace: .milliseconds(30))
        #expect(report.cancelled.map(\.method) == ["/test.T/Server"])
        let last = WebBed.frames(await peer.next()?.body ?? []).last
        #expect(last?.bytes.text.contains(#""code":"unavailable""#) == true)
        #expect(await peer.isClosedWithoutAnswer())
    }

    @Test("max_age ends a connection behind its answer")
    func age() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnectionAge = .milliseconds(50)
        let (_, peer) = try await bed(configuration)
        try await peer.send(book("{}"))
        while let answer = await peer.next() {
            #expect(answer.status == 200)
            if answer.first("connection") != "close" { try? await peer.send(book("{}")) }
        }
    }

    @Test("a connection beyond the limit is answered with 503")
    func limit() async throws {
        var configuration = ServerConfiguration()
        configuration.maxConnections = 1
        let (server, peer) = try await bed(configuration)
        #expect(try await peer.ask(book("{}"))?.status == 200)
        var refused: TextPeer.Answer?
        // Who says nothing for a second hears it in HTTP/2.
        for _ in 0..<5 where refused == nil {
            let other = try await TextPeer.connect(to: server)
            refused = try await other.ask(book("{}"))
            #expect(await other.isClosedWithoutAnswer())
        }
        #expect(refused?.status == 503)
        #expect(refused?.body.text == "too_many_connections\n")
        #expect(try await peer.ask(book("{}"))?.status == 200)
    }

    @Test("without the web's protocols nobody speaks HTTP/1.1")
    func disabled() async throws {
        var configuration = ServerConfiguration()
        configuration.web.isEnabled = false
        let (_, peer) = try await bed(configuration)
        try await peer.send(book("{}"))
        #expect(await peer.isClosedWithoutAnswer())
    }

    @Test(
        "the first bytes say which HTTP it is",
        arguments: [
            ("", nil), ("P", nil), ("PR", .http2), ("PO", nil), ("POST ", .http1), ("GET", nil),
            ("GET /", .http1), ("PRI * HTTP/2.0", .http2), ("POSTED", .http2), ("get /", .http2),
            ("\u{16}\u{3}", .http2),
        ] as [(String, SpokenVersion?)])
    func version(text: String, version: SpokenVersion?) {
        #expect(SpokenVersion(Array(text.utf8)) == version)
    }
}
