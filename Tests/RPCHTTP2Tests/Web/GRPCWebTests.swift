import Compression
import Loop
import RPC
import RPCHTTP2
import Testing

@testable import RPCHTTP2

@Suite("gRPC-Web over HTTP/2", .timeLimit(.minutes(1)))
struct GRPCWebTests {
    private static let echo = "/bench.Bench/Echo"

    private func bed(
        _ configuration: ServerConfiguration = ServerConfiguration()
    ) async throws -> (TestServer, RawPeer) {
        let server = try await WebBed.server(configuration)
        return (
            server, try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        )
    }

    @Test(
        "a unary call",
        arguments: [
            "application/grpc-web", "application/grpc-web+proto",
            "application/grpc-web+proto; charset=utf-8", "Application/gRPC-Web",
        ])
    func unary(type: String) async throws {
        let (_, peer) = try await bed()
        let message: [UInt8] = [16, 7]
        let answer = try await peer.request(
            path: Self.echo, contentType: type, pieces: [[0, 0, 0], [0, 2, 16], [7]])
        #expect(answer.fields[":status"] == "200")
        #expect(answer.fields["content-type"]?.hasPrefix("application/grpc-web") == true)
        #expect(answer.headerBlocks == 1)
        #expect(
            answer.body
                == WebBed.frame(0, message) + WebBed.frame(0x80, "grpc-status: 0\r\n"))
    }

    @Test("the text form: base64, each part padded by itself")
    func text() async throws {
        let (_, peer) = try await bed()
        // Two parts with padding of their own, cut inside a group.
        let body = Base64Stream.encode([0, 0, 0, 0]) + Base64Stream.encode([2, 16, 7])
        let answer = try await peer.request(
            path: Self.echo, contentType: "application/grpc-web-text",
            pieces: [Array(body.prefix(6)), Array(body.dropFirst(6))])
        #expect(answer.fields["content-type"] == "application/grpc-web-text")
        var stream = Base64Stream()
        var decoded: [UInt8] = []
        #expect(answer.body.withUnsafeBytes { stream.decode($0, into: &decoded) })
        #expect(
            decoded == WebBed.frame(0, [16, 7]) + WebBed.frame(0x80, "grpc-status: 0\r\n"))
    }

    @Test("headers, trailers, messages before a failure, percent-encoded text and details")
    func failureAfterMessages() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: "/bench.Bench/Stream", contentType: "application/grpc-web",
            pieces: [WebBed.frame(0, [10, 4] + Array("fail".utf8) + [16, 3])])
        let frames = WebBed.frames(answer.body)
        #expect(frames.map(\.flag) == [0, 0, 0, 0x80])
        #expect(
            frames.last?.bytes.text
                == "grpc-status: 9\r\ngrpc-message: tidak ada %E2%80%93 nothing\r\n"
                + "grpc-status-details-bin: "
                + MetadataBase64.encode(StatusDetails.encode(WebBed.failure)).text
                + "\r\nx-tail: t\r\nx-error: e\r\n")
    }

    @Test("JSON messages in gRPC-Web frames")
    func json() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: "/bench.Bench/Book", contentType: "application/grpc-web+json",
            pieces: [WebBed.frame(0, #"{"id":"b","lines":[{"qty":2}]}"#)])
        let frames = WebBed.frames(answer.body)
        #expect(answer.fields["x-head"] == "h")
        #expect(frames.first?.bytes.text == #"{"id":"b","lines":[{"qty":2}]}"#)
        #expect(frames.last?.bytes.text == "grpc-status: 0\r\nx-tail: t\r\n")
    }

    @Test("compressed both ways")
    func compression() async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = .gzip
        configuration.compression.minimumBytes = 1
        let (_, peer) = try await bed(configuration)
        let message = [UInt8](repeating: 0, count: 2000)
        let answer = try await peer.request(
            path: "/test.T/Unary",
            extra: [("grpc-encoding", "deflate"), ("grpc-accept-encoding", "gzip")],
            contentType: "application/grpc-web",
            pieces: [WebBed.frame(1, try CompressionAlgorithm.deflate.compress(message))])
        #expect(answer.fields["grpc-encoding"] == "gzip")
        let frames = WebBed.frames(answer.body)
        #expect(frames.map(\.flag) == [1, 0x80])
        #expect(
            try CompressionAlgorithm.gzip.decompress(frames[0].bytes, limit: 2000) == message)
    }

    @Test("what a client may get wrong; the connection serves on")
    func hostile() async throws {
        var configuration = ServerConfiguration()
        configuration.maxMessageBytes = 1000
        let (_, peer) = try await bed(configuration)
        let bomb = try CompressionAlgorithm.gzip.compress([UInt8](repeating: 0, count: 1001))
        let one = WebBed.frame(0, [16, 1])
        let web = "application/grpc-web"
        let cases: [(String, [(String, String)], String, [UInt8], Int)] = [
            ("/no.S/M", [], web, one, 12),
            (Self.echo, [("grpc-timeout", "soon")], web, one, 13),
            (Self.echo, [("grpc-encoding", "br")], web, one, 12),
            (Self.echo, [("grpc-encoding", "gzip")], web, WebBed.frame(1, bomb), 8),
            (Self.echo, [], web, WebBed.frame(1, bomb), 13),
            (Self.echo, [], web, WebBed.frame(0x80, "x: y\r\n"), 13),
            (Self.echo, [], web, [0, 0, 0, 4, 0], 8),
            (Self.echo, [], web, [0, 0, 0, 0, 9, 1], 13), (Self.echo, [], web, [], 12),
            (Self.echo, [], web, one + one, 12),
            (Self.echo, [], "application/grpc-web-text", Array("AAAA*AAA".utf8), 13),
            (Self.echo, [], "application/grpc-web-text", Array("AAAAAAIQA".utf8), 13),
            ("/bench.Bench/Book", [], web + "+json", WebBed.frame(0, "{"), 3),
            ("/bench.Bench/Book", [], web + "+json", WebBed.frame(0, #"{"id":1}"#), 3),
            ("/test.T/Unary", [], web + "+json", WebBed.frame(0, "{}"), 12),
            (Self.echo, [("grpc-timeout", "0n")], web, one, 4),
        ]
        for (path, extra, type, body, code) in cases {
            let answer = try await peer.request(
                path: path, extra: extra, contentType: type, pieces: [body])
            #expect(answer.fields[":status"] == "200")
            var text = answer.body
            if type.hasSuffix("text") {
                var stream = Base64Stream()
                text = []
                #expect(answer.body.withUnsafeBytes { stream.decode($0, into: &text) })
            }
            let trailers = WebBed.frames(text).last?.bytes.text ?? ""
            #expect(trailers.hasPrefix("grpc-status: \(code)\r\n"), "\(path) \(body) \(trailers)")
        }
        let honest = try await peer.request(
            path: Self.echo, contentType: web, pieces: [one])
        #expect(honest.body.prefix(7) == one[...])
    }

    @Test("only POST; and nothing at all when the server does not want it")
    func refusals() async throws {
        let (_, peer) = try await bed()
        let put = try await peer.request(
            path: Self.echo, method: "PUT", contentType: "application/grpc-web")
        #expect(put.fields[":status"] == "405")
        #expect(put.fields["allow"] == "POST")

        var configuration = ServerConfiguration()
        configuration.web.isEnabled = false
        let (_, off) = try await bed(configuration)
        for type in ["application/grpc-web", "application/json", "application/connect+proto"] {
            let answer = try await off.request(path: Self.echo, contentType: type)
            #expect(answer.fields[":status"] == "415")
        }
        #expect(try await off.request(path: Self.echo).status == "0")
    }

    @Test("pages of other origins: nothing by default, what is configured otherwise")
    func crossOrigin() async throws {
        let ask = [
            ("origin", "https://app.example"), ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ]
        let call = [("origin", "https://app.example")]
        let (_, closed) = try await bed()
        let refused = try await closed.request(
            path: Self.echo, extra: ask, method: "OPTIONS", contentType: nil, pieces: [])
        #expect(refused.fields[":status"] == "405")
        let served = try await closed.request(
            path: Self.echo, extra: call, contentType: "application/grpc-web")
        #expect(served.fields["access-control-allow-origin"] == nil)

        var configuration = ServerConfiguration()
        configuration.web.allowedOrigins = ["https://app.example"]
        let (_, open) = try await bed(configuration)
        let allowed = try await open.request(
            path: Self.echo, extra: ask, method: "OPTIONS", contentType: nil, pieces: [])
        #expect(allowed.fields[":status"] == "204")
        #expect(allowed.fields["access-control-allow-origin"] == "https://app.example")
        #expect(allowed.fields["access-control-allow-headers"] == "content-type,x-grpc-web")
        #expect(allowed.fields["access-control-allow-methods"] == "GET, POST")
        let answer = try await open.request(
            path: "/bench.Bench/Book", extra: call, contentType: "application/grpc-web",
            pieces: [WebBed.frame(0, [])])
        #expect(answer.fields["access-control-allow-origin"] == "https://app.example")
        #expect(
            answer.fields["access-control-expose-headers"]
                == "content-type, grpc-message, grpc-status, x-head")
        #expect(answer.fields["vary"] == "origin")
        let other = try await open.request(
            path: Self.echo, extra: [("origin", "https://evil.example")] + ask.dropFirst(),
            method: "OPTIONS", contentType: nil, pieces: [])
        #expect(other.fields[":status"] == "405")
        #expect(other.fields["access-control-allow-origin"] == nil)
    }
}
