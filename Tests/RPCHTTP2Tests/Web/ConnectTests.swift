import BenchSchema
import Compression
import HTTP2
import Loop
import RPC
import RPCHTTP2
import TestKit
import Testing

@Suite("Connect over HTTP/2", .timeLimit(.minutes(1)))
struct ConnectTests {
    private static let book = "/bench.Bench/Book"

    private func bed(
        _ configuration: ServerConfiguration = ServerConfiguration()
    ) async throws -> (TestServer, RawPeer) {
        let server = try await WebBed.server(configuration)
        return (
            server, try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        )
    }

    // MARK: Unary

    @Test("a unary call in JSON: metadata, deadline, headers, trailers")
    func unaryJSON() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: Self.book,
            extra: [
                ("connect-protocol-version", "1"), ("connect-timeout-ms", "99500"),
                ("x-note", "n"),
            ],
            contentType: "application/json; charset=utf-8",
            pieces: [Array(#"{"id":"b","#.utf8), Array(#" "newer": 1, "status":"HELD"}"#.utf8)])
        #expect(answer.fields[":status"] == "200")
        #expect(answer.fields["content-type"] == "application/json")
        #expect(answer.fields["x-head"] == "h")
        #expect(answer.fields["trailer-x-tail"] == "t")
        #expect(answer.headerBlocks == 1)
        #expect(
            answer.body.text == #"{"id":"b","endUnix":"99","status":"HELD","note":"n"}"#)
    }

    @Test("a generated service speaks JSON by itself")
    func generated() async throws {
        let server = try await TestServer { BenchMethods().register(in: $0) }
        let peer = try await RawPeer.connect(to: server.address, on: EventLoop(name: "raw"))
        let answer = try await peer.request(
            path: "/bench.Bench/Echo", contentType: "application/json",
            pieces: [Array(#"{"n":3}"#.utf8)])
        #expect(answer.body.text == #"{"n":3}"#)
    }

    @Test("a unary call in protobuf, an empty message too")
    func unaryProto() async throws {
        let (_, peer) = try await bed()
        for message in [[16, 7], []] as [[UInt8]] {
            let answer = try await peer.request(
                path: "/bench.Bench/Echo", contentType: "application/proto", pieces: [message])
            #expect(answer.fields[":status"] == "200")
            #expect(answer.fields["content-type"] == "application/proto")
            #expect(answer.body == message)
        }
    }

    @Test("a failure: HTTP status, JSON with details, headers and trailers")
    func failure() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: Self.book, contentType: "application/proto",
            pieces: [[10, 4] + Array("fail".utf8)])
        #expect(answer.fields[":status"] == "400")
        #expect(answer.fields["content-type"] == "application/json")
        #expect(answer.fields["x-head"] == "h")
        #expect(answer.fields["trailer-x-tail"] == "t")
        #expect(answer.fields["trailer-x-error"] == "e")
        #expect(
            answer.body.text
                == #"{"code":"failed_precondition","message":"tidak ada – nothing","#
                + #""details":[{"type":"google.rpc.Thing","value":"AQIDBA"}]}"#)
    }

    @Test("a detail of google.rpc is readable beside its bytes")
    func debug() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: Self.book, contentType: "application/json",
            pieces: [Array(#"{"id":"gone"}"#.utf8)])
        #expect(answer.fields[":status"] == "404")
        #expect(
            answer.body.text
                == #"{"code":"not_found","message":"gone","details":[{"type":"#
                + #""google.rpc.ErrorInfo","value":"CgRHT05FEgFi","#
                + #""debug":{"reason":"GONE","domain":"b"}}]}"#)
    }

    @Test("HTTP's content-encoding both ways", arguments: [CompressionAlgorithm.gzip, .deflate])
    func compression(algorithm: CompressionAlgorithm) async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = algorithm
        let (_, peer) = try await bed(configuration)
        let note = String(repeating: "n", count: 3000)
        let json = Array(#"{"id":"b","note":"\#(note)"}"#.utf8)
        let answer = try await peer.request(
            path: Self.book,
            extra: [
                ("content-encoding", algorithm.name), ("accept-encoding", "br, gzip, deflate"),
            ],
            contentType: "application/json", pieces: [try algorithm.compress(json)])
        #expect(answer.fields["content-encoding"] == algorithm.name)
        #expect(
            try algorithm.decompress(answer.body, limit: 4000).text
                == #"{"id":"b","note":"\#(note)","confirmed":true}"#)
        let small = try await peer.request(
            path: Self.book, extra: [("accept-encoding", "gzip, deflate")],
            contentType: "application/json", pieces: [Array("{}".utf8)])
        #expect(small.fields["content-encoding"] == nil)
        #expect(small.body.text == "{}")
    }

    @Test("GET for what has no side effects")
    func get() async throws {
        let (_, peer) = try await bed()
        let packed = try CompressionAlgorithm.gzip.compress([10, 1, 98])
        let queries = [
            ("encoding=json&message=%7B%22id%22%3A%22b%22%7D&connect=v1", #"{"id":"b"}"#),
            ("encoding=proto&base64=1&message=CgFi&connect=v1", "\n\u{1}b"),
            (
                "encoding=proto&base64=1&compression=gzip&message="
                    + urlBase64(packed), "\n\u{1}bX\u{1}"
            ),
        ]
        for (query, body) in queries {
            let answer = try await peer.request(
                path: Self.book + "?" + query, method: "GET", contentType: nil, pieces: [])
            #expect(answer.fields[":status"] == "200", "\(query)")
            #expect(answer.fields["trailer-x-tail"] == "t")
            #expect(answer.body.text == body)
        }
    }

    private func urlBase64(_ bytes: [UInt8]) -> String {
        MetadataBase64.encode(bytes).text.map {
            $0 == "+" ? "-" : $0 == "/" ? "_" : String($0)
        }.joined()
    }

    @Test("what a client of a unary method may get wrong; the connection serves on")
    func hostileUnary() async throws {
        var configuration = ServerConfiguration()
        configuration.maxMessageBytes = 1000
        let (_, peer) = try await bed(configuration)
        let bomb = try CompressionAlgorithm.gzip.compress([UInt8](repeating: 0, count: 1001))
        let json = "application/json"
        let cases: [(String, [(String, String)], String, [UInt8], String, String)] = [
            ("/no.S/M", [], json, Array("{}".utf8), "501", "unimplemented"),
            (Self.book, [], json, Array("{".utf8), "400", "invalid_argument"),
            (Self.book, [], json, [], "400", "invalid_argument"),
            (Self.book, [], json, Array(#"{"id":7}"#.utf8), "400", "invalid_argument"),
            (Self.book, [], json, [0x7b, 0xff, 0x7d], "400", "invalid_argument"),
            (Self.book, [], "application/proto", [10, 9, 1], "500", "internal"),
            (Self.book, [], json, [UInt8](repeating: 32, count: 1001), "429", "resource_exhausted"),
            (Self.book, [("content-encoding", "br")], json, [1], "501", "unimplemented"),
            (Self.book, [("content-encoding", "gzip")], json, bomb, "429", "resource_exhausted"),
            (Self.book, [("content-encoding", "gzip")], json, [1, 2], "500", "internal"),
            (Self.book, [("connect-timeout-ms", "x")], json, [], "400", "invalid_argument"),
            (
                Self.book, [("connect-timeout-ms", "12345678901")], json, [], "400",
                "invalid_argument"
            ),
            (Self.book, [("connect-timeout-ms", "0")], json, [], "504", "deadline_exceeded"),
            (Self.book, [("connect-protocol-version", "2")], json, [], "400", "invalid_argument"),
            ("/test.T/Unary", [], json, Array("{}".utf8), "501", "unimplemented"),
        ]
        for (path, extra, type, body, status, code) in cases {
            let answer = try await peer.request(
                path: path, extra: extra, contentType: type, pieces: [body])
            #expect(answer.fields[":status"] == status, "\(path) \(extra) \(body.prefix(9))")
            #expect(answer.body.text.hasPrefix(#"{"code":"\#(code)""#), "\(answer.body.text)")
        }
        let unknown = try await peer.request(
            path: Self.book, extra: [("content-encoding", "br")], contentType: json)
        #expect(unknown.fields["accept-encoding"] == "identity,gzip,deflate")
        let honest = try await peer.request(
            path: Self.book, contentType: json, pieces: [Array("{}".utf8)])
        #expect(honest.body.text == "{}")
    }

    @Test(
        "methods and media types that do not fit",
        arguments: [
            ("GET", "/bench.Bench/Echo?encoding=json&message=%7B%7D", nil, "405"),
            ("GET", "/bench.Bench/Stream?encoding=json&message=%7B%7D", nil, "405"),
            ("GET", "/nothing", nil, "404"), ("GET", "/bench.Bench/Book", nil, "400"),
            ("DELETE", "/bench.Bench/Book", "application/json", "405"),
            ("POST", "/bench.Bench/Book", "text/plain", "415"),
            ("POST", "/bench.Bench/Book", nil, "415"),
            ("POST", "/bench.Bench/Book", "application/connect+json", "415"),
            ("POST", "/bench.Bench/Stream", "application/json", "415"),
            ("POST", "/bench.Bench/Stream", "application/connect+xml", "415"),
            ("OPTIONS", "/bench.Bench/Book", nil, "405"),
        ] as [(String, String, String?, String)])
    func misfits(method: String, path: String, type: String?, status: String) async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: path, method: method, contentType: type, pieces: [])
        #expect(answer.fields[":status"] == status)
        if status == "405" { #expect(answer.fields["allow"]?.contains("POST") == true) }
        if status == "415" {
            #expect(answer.fields["accept-post"]?.contains("application/json") == true)
        }
    }

    // MARK: Streams

    @Test("server streaming in JSON, with the end as an envelope")
    func serverStreaming() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: "/bench.Bench/Stream", contentType: "application/connect+json",
            pieces: [WebBed.frame(0, #"{"n":2}"#)])
        #expect(answer.fields["content-type"] == "application/connect+json")
        let frames = WebBed.frames(answer.body)
        #expect(frames.map(\.flag) == [0, 0, 2])
        #expect(
            frames.map(\.bytes.text)
                == [#"{"n":2}"#, #"{"n":2}"#, #"{"metadata":{"x-tail":["t"]}}"#])
    }

    @Test("a failure after messages")
    func failureAfterMessages() async throws {
        let (_, peer) = try await bed()
        let answer = try await peer.request(
            path: "/bench.Bench/Stream", contentType: "application/connect+proto",
            pieces: [WebBed.frame(0, [10, 4] + Array("fail".utf8) + [16, 1])])
        let frames = WebBed.frames(answer.body)
        #expect(answer.fields[":status"] == "200")
        #expect(frames.map(\.flag) == [0, 2])
        #expect(
            frames.last?.bytes.text
                == #"{"error":{"code":"failed_precondition","message":"tidak ada – nothing","#
                + #""details":[{"type":"google.rpc.Thing","value":"AQIDBA"}]},"#
                + #""metadata":{"x-tail":["t"],"x-error":["e"]}}"#)
    }

    @Test("both directions, compressed where one wishes")
    func bidirectional() async throws {
        var configuration = ServerConfiguration()
        configuration.compression.algorithm = .gzip
        configuration.compression.minimumBytes = 100
        let (_, peer) = try await bed(configuration)
        let large = [UInt8]([10, 200, 1]) + [UInt8](repeating: 7, count: 200)
        let answer = try await peer.request(
            path: "/bench.Bench/PingPong",
            extra: [
                ("connect-content-encoding", "gzip"), ("connect-accept-encoding", "gzip"),
            ],
            contentType: "application/connect+proto",
            pieces: [
                WebBed.frame(0, [16, 1]) + [1],
                Array(
                    WebBed.frame(1, try CompressionAlgorithm.gzip.compress(large)).dropFirst()),
            ])
        #expect(answer.fields["connect-content-encoding"] == "gzip")
        let frames = WebBed.frames(answer.body)
        #expect(frames.map(\.flag) == [0, 1, 2])
        #expect(frames[0].bytes == [16, 1])
        #expect(try CompressionAlgorithm.gzip.decompress(frames[1].bytes, limit: 300) == large)
        #expect(frames[2].bytes.text == "{}")
    }

    @Test("what a client of a stream may get wrong: always 200 and an error at the end")
    func hostileStreams() async throws {
        var configuration = ServerConfiguration()
        configuration.maxMessageBytes = 1000
        let (_, peer) = try await bed(configuration)
        let json = "application/connect+json"
        let path = "/bench.Bench/PingPong"
        let bomb = try CompressionAlgorithm.gzip.compress([UInt8](repeating: 32, count: 1001))
        let gzip = [("connect-content-encoding", "gzip")]
        let cases: [(String, [(String, String)], [UInt8], String)] = [
            ("/no.S/M", [], [], "unimplemented"),
            (path, [("connect-content-encoding", "zstd")], [], "unimplemented"),
            (path, [("connect-timeout-ms", "-1")], [], "invalid_argument"),
            (path, [], WebBed.frame(2, "{}"), "invalid_argument"),
            (path, [], [0, 0, 0], "invalid_argument"),
            (path, [], [0, 0, 0, 4, 0], "resource_exhausted"),
            (path, [], WebBed.frame(0, "{"), "invalid_argument"),
            (path, [], WebBed.frame(1, "{}"), "internal"),
            (path, gzip, WebBed.frame(1, bomb), "resource_exhausted"),
            (
                "/bench.Bench/Stream", [], WebBed.frame(0, "{}") + WebBed.frame(0, "{}"),
                "unimplemented"
            ),
            ("/bench.Bench/Stream", [], [], "unimplemented"),
        ]
        for (path, extra, body, code) in cases {
            let answer = try await peer.request(
                path: path, extra: extra, contentType: json, pieces: [body])
            #expect(answer.fields[":status"] == "200", "\(path) \(body)")
            let last = WebBed.frames(answer.body).last
            #expect(last?.flag == 2)
            #expect(
                last?.bytes.text.hasPrefix(#"{"error":{"code":"\#(code)""#) == true,
                "\(path) \(body.prefix(9)) \(last?.bytes.text ?? "-")")
        }
    }

    @Test("a client that goes away cancels the handler")
    func cancel() async throws {
        let cancelled = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                try await call.send([1])
                do {
                    while true { try await call.loop.sleep(for: .seconds(60)) }
                } catch {
                    await cancelled.set(call.context.isCancelled)
                }
            }
        }
        let loop = EventLoop(name: "raw")
        let peer = try await RawPeer.connect(to: server.address, on: loop)
        let stream = try await loop.submit {
            let fields = HTTP2Fields()
            for (name, value) in [
                (":method", "POST"), (":scheme", "http"), (":path", "/test.T/Server"),
                (":authority", "x"), ("content-type", "application/connect+proto"),
            ] { fields.append(name, value) }
            let stream = RawPeer.Stream()
            try peer.session?.request(stream, fields)
            _ = WebBed.frame(0, []).withUnsafeBytes { stream.write($0) }
            stream.endBody(trailers: nil)
            return stream
        }
        while try await loop.submit({ stream.body.isEmpty }) {
            try await loop.sleep(for: .milliseconds(2))
        }
        try await loop.submit { stream.reset(.cancel) }
        #expect(try await cancelled.wait())
    }
}
