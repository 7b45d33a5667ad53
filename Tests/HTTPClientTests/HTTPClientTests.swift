import Certificates
import Environment
import HTTP1
import HTTPClient
import Loop
import TLS
import TestKit
import Testing

@Suite("HTTP client: real sockets, bad servers", .timeLimit(.minutes(5)))
struct HTTPClientTests {
    private let loop = EventLoop(name: "http-client-tests")

    private func failure(
        _ location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
    ) async -> HTTPClientError {
        do {
            try await body()
        } catch let error as HTTPClientError {
            return error
        } catch {
            Issue.record("\(error) is no HTTPClientError", sourceLocation: location)
            return .init(.closed, "\(error)", blame: .us)
        }
        Issue.record("nothing was thrown", sourceLocation: location)
        return .init(.closed, "nothing was thrown", blame: .us)
    }

    @Test("method, fields and body arrive; status, fields and body come back; 404 is an answer")
    func exchange() async throws {
        let server = try await ScriptedServer.start(on: loop) { seen in
            seen.head.method == .get
                ? [.send(bytes("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))]
                : ok(
                    "{\"a\":1}",
                    fields: "Content-Type: application/json\r\nX-Two: 1\r\nX-Two: 2 \r\n")
        }
        let client = HTTPClient(loop: loop)
        var request = HTTPClientRequest(.post, server.url, body: bytes("{\"b\":\"\u{0}\"}"))
        try request.headers.add("content-type", "application/json")
        try request.headers.add("authorization", "Basic abc")
        let answer = try await client.send(request)
        #expect(answer.status == .ok)
        #expect(answer.body == bytes("{\"a\":1}"))
        #expect(answer.headers.all("x-two") == ["1", "2"])
        let seen = try #require(server.seen.first)
        #expect(seen.body == bytes("{\"b\":\"\u{0}\"}"))
        #expect(seen.head.headers.first("authorization") == "Basic abc")
        #expect(seen.head.headers.all("content-type") == ["application/json"])
        #expect(seen.head.target == "/pay?secret=s3cret")
        let missing = try await client.send(HTTPClientRequest(.get, server.url))
        #expect(missing.status == .notFound)
        let empty = try await client.send(HTTPClientRequest(.post, server.url))
        #expect(empty.status == .ok)
        #expect(server.seen.last?.head.contentLength == 0)
        for method in [HTTPMethod.put, .patch, .delete] {
            _ = try await client.send(HTTPClientRequest(method, server.url, body: bytes("x")))
            #expect(server.seen.last?.head.method == method)
            #expect(server.seen.last?.body == bytes("x"))
        }
        await client.close()
        await server.close()
    }

    @Test("one connection serves requests that follow each other; many at once share the limit")
    func reuse() async throws {
        let server = try await ScriptedServer.start(on: loop) { _ in ok("x") }
        var configuration = HTTPClientConfiguration()
        configuration.maxConnectionsPerHost = 3
        let client = HTTPClient(loop: loop, configuration: configuration)
        for _ in 0..<10 { _ = try await client.send(HTTPClientRequest(.get, server.url)) }
        #expect(server.connections == 1)
        let url = server.url
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    (try? await client.send(HTTPClientRequest(.get, url)))?.status == .ok
                }
            }
            for await fine in group { #expect(fine) }
        }
        #expect(server.connections <= 3)
        #expect(server.seen.count == 50)
        await client.close()
        await server.close()
    }

    @Test("a redirection is an answer and is not followed")
    func redirection() async throws {
        let server = try await ScriptedServer.start(on: loop) { _ in
            [.send(bytes("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n"))]
        }
        let client = HTTPClient(loop: loop)
        let answer = try await client.send(HTTPClientRequest(.get, server.url))
        #expect(answer.status == .found)
        #expect(answer.headers.first("location") == "/other")
        #expect(server.seen.count == 1)
        await client.close()
        await server.close()
    }

    @Test("a server that never answers: timedOut at the deadline; what arrived is said")
    func deadline() async throws {
        let server = try await ScriptedServer.start(on: loop) { _ in [.hang] }
        let client = HTTPClient(loop: loop)
        try await growingDeadline { timeout in
            let started = Deadline.now()
            let late = await failure {
                _ = try await client.send(
                    HTTPClientRequest(.post, server.url, deadline: .after(timeout)))
            }
            #expect(late.code == .timedOut)
            // A timer of the loop counts whole milliseconds.
            #expect(started.duration(to: .now()) > timeout - .milliseconds(2))
            #expect(!late.description.contains("s3cret"))
            if !late.mayHaveArrived { #expect(server.seen.isEmpty) }
            return late.mayHaveArrived
        }
        let over = await failure {
            _ = try await client.send(
                HTTPClientRequest(.get, server.url, deadline: Deadline.now() - .seconds(1)))
        }
        #expect(over.code == .timedOut)
        #expect(!over.mayHaveArrived)
        #expect(!server.seen.contains { $0.head.method == .get })
        await client.close()
        await server.close()
    }

    @Test("cancelling ends the exchange and its connection; before the start nothing is sent")
    func cancelling() async throws {
        let server = try await ScriptedServer.start(on: loop) { _ in [.hang] }
        let client = HTTPClient(loop: loop)
        let url = server.url
        let task = Task { try await client.send(HTTPClientRequest(.get, url)) }
        #expect(try await eventually { !server.seen.isEmpty })
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(try await eventually { server.open == 0 })
        let early = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.send(HTTPClientRequest(.get, url))
        }
        await #expect(throws: CancellationError.self) { _ = try await early.value }
        #expect(server.seen.count == 1)
        await client.close()
        await server.close()
    }

    struct BadServer: Sendable, CustomStringConvertible {
        let description: String
        let acts: [ScriptedServer.Act]
        let code: HTTPClientError.Code
    }

    @Test(
        "answers that are none",
        arguments: [
            BadServer(
                description: "a body that is too large",
                acts: [
                    .send(bytes("HTTP/1.1 200 OK\r\ncontent-length: 2001\r\n\r\n")),
                    .send([UInt8](repeating: 65, count: 2001)),
                ], code: .tooLarge),
            BadServer(
                description: "chunks without end",
                acts: [
                    .send(bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")),
                    .send(bytes("800\r\n") + [UInt8](repeating: 65, count: 2048) + bytes("\r\n")),
                ], code: .tooLarge),
            BadServer(
                description: "a head without end",
                acts: [
                    .send(
                        bytes(
                            "HTTP/1.1 200 OK\r\n"
                                + String(repeating: "x-a: 0123456789\r\n", count: 99)))
                ], code: .tooLarge),
            BadServer(
                description: "the connection ends in the body",
                acts: [
                    .send(bytes("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")), .close,
                ], code: .connectionLost),
            BadServer(
                description: "the connection ends before the answer", acts: [.close],
                code: .connectionLost),
            BadServer(
                description: "no HTTP", acts: [.send(bytes("SSH-2.0-x\r\n")), .close],
                code: .badResponse),
        ])
    func badServers(_ bad: BadServer) async throws {
        let acts = bad.acts
        let server = try await ScriptedServer.start(on: loop) { _ in acts }
        var configuration = HTTPClientConfiguration()
        configuration.maxBodyBytes = 2000
        configuration.maxHeadBytes = 1000
        let client = HTTPClient(loop: loop, configuration: configuration)
        let error = await failure { _ = try await client.send(HTTPClientRequest(.get, server.url)) }
        #expect(error.code == bad.code, "\(error)")
        #expect(error.mayHaveArrived)
        #expect(!error.description.contains("s3cret"))
        await client.close()
        await server.close()
    }

    @Test("nobody listens, no such name, no URL: each has its own error, and nothing arrived")
    func unreachable() async throws {
        let url = "http://127.0.0.1:1/pay?secret=s3cret"
        let client = HTTPClient(loop: loop)
        let cases: [(String, HTTPClientError.Code)] = [
            (url, .cannotConnect), ("http://no-such-name.invalid/", .unresolved),
            ("ftp://127.0.0.1/", .invalidRequest), ("file:///etc/passwd", .invalidRequest),
            ("http://", .invalidRequest), ("http://a b/", .invalidRequest),
            ("http://127.0.0.1/\r\nX: y", .invalidRequest),
        ]
        for (url, code) in cases {
            let error = await failure { _ = try await client.send(HTTPClientRequest(.get, url)) }
            #expect(error.code == code, "\(url): \(error)")
            #expect(!error.mayHaveArrived)
        }
        var request = HTTPClientRequest(.post, url)
        try request.headers.add("Transfer-Encoding", "chunked")
        let own = await failure { _ = try await client.send(request) }
        #expect(own.code == .invalidRequest)
        await client.close()
        let closed = await failure { _ = try await client.send(HTTPClientRequest(.get, url)) }
        #expect(closed.code == .closed)
    }

    @Test("TLS: a trusted certificate passes, an unknown authority and another name do not")
    func secure() async throws {
        let files = Certificates.shared
        let good = try await ScriptedServer.start(
            on: loop, tls: files.server("localhost") { $0.applicationProtocols = ["http/1.1"] }
        ) { _ in ok("safe") }
        let other = try await ScriptedServer.start(
            on: loop, tls: files.server("server1") { $0.applicationProtocols = ["http/1.1"] }
        ) { _ in ok("unsafe") }
        var configuration = HTTPClientConfiguration()
        configuration.authorityFile = files.path("ca.pem")
        let client = HTTPClient(loop: loop, configuration: configuration)
        let url = "https://localhost:\(good.port)/"
        #expect(try await client.send(HTTPClientRequest(.get, url)).body == bytes("safe"))
        let named = await failure {
            _ = try await client.send(
                HTTPClientRequest(.get, "https://localhost:\(other.port)/"))
        }
        #expect(named.code == .insecure)
        let stranger = HTTPClient(loop: loop)
        let unknown = await failure { _ = try await stranger.send(HTTPClientRequest(.get, url)) }
        #expect(unknown.code == .insecure)
        #expect(unknown.cause?.contains("certificate") == true, "\(unknown)")
        #expect(!unknown.mayHaveArrived)
        #expect(other.seen.isEmpty)
        await client.close()
        await stranger.close()
        await good.close()
        await other.close()
    }

    @Test("more requests than allowed: tooManyRequests; closing ends the others")
    func limit() async throws {
        let server = try await ScriptedServer.start(on: loop) { _ in [.hang] }
        var configuration = HTTPClientConfiguration()
        configuration.maxRequests = 2
        let client = HTTPClient(loop: loop, configuration: configuration)
        let url = server.url
        let running = (0..<2).map { _ in
            Task { try await client.send(HTTPClientRequest(.get, url)) }
        }
        #expect(try await eventually { server.seen.count == 2 })
        let error = await failure { _ = try await client.send(HTTPClientRequest(.get, url)) }
        #expect(error.code == .tooManyRequests)
        await client.close()
        for task in running {
            let ended = await failure { _ = try await task.value }
            #expect(ended.code == .closed)
        }
        await server.close()
    }
}
