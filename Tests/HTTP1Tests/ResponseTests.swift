import HTTP1
import Testing

struct ResponseTests {
    private let date = "Tue, 02 Dec 2025 10:00:00 GMT"

    private func encoder(
        _ method: HTTPMethod = .get, _ version: HTTPVersion = .http11, keepAlive: Bool = true
    ) -> HTTPResponseEncoder {
        HTTPResponseEncoder(method: method, version: version, keepAlive: keepAlive)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("status line, fields, Date, length and body")
    func whole() {
        let response = HTTPResponse(
            status: .created, contentType: "application/json", body: Array("{}".utf8))
        #expect(
            text(encoder().encode(response, date: date))
                == "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n"
                + "date: \(date)\r\ncontent-length: 2\r\n\r\n{}")
    }

    @Test("HEAD has the length but not the body; 204 and 304 have neither")
    func withoutBody() {
        let body = Array("abc".utf8)
        let head = text(encoder(.head).encode(HTTPResponse(status: .ok, body: body), date: ""))
        #expect(head == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
        for status in [HTTPStatus.noContent, .notModified] {
            let bytes = encoder().encode(HTTPResponse(status: status, body: body), date: "")
            #expect(text(bytes) == "HTTP/1.1 \(status.rawValue) \(status.reason)\r\n\r\n")
        }
    }

    @Test("Connection follows the version and the decision")
    func connection() {
        let empty = HTTPResponse(status: .ok)
        #expect(!text(encoder().encode(empty, date: "")).contains("connection"))
        #expect(
            text(encoder(keepAlive: false).encode(empty, date: "")).contains(
                "connection: close\r\n"))
        #expect(
            text(encoder(.get, .http10).encode(empty, date: "")).contains(
                "connection: keep-alive\r\n"))
        let upgrade = text(encoder().encode(HTTPResponse(status: .switchingProtocols), date: ""))
        #expect(upgrade == "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n")
    }

    @Test("the caller cannot change the framing")
    func framingBelongsToEncoder() throws {
        var response = HTTPResponse(status: .ok, body: [97])
        for name in ["Content-Length", "transfer-encoding", "CONNECTION", "keep-alive", "Date"] {
            try response.headers.add(name, "9")
        }
        let bytes = encoder().encode(response, date: "")
        #expect(text(bytes) == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na")
    }

    @Test(
        "edge.md §5: header injection is impossible",
        arguments: [
            ("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "a\rb"), ("x", "a\0b"), ("x\r\ny", "a"),
            ("x:", "a"), ("", "a"), ("x y", "a"), ("x", "\u{7F}"), ("é", "a"),
        ])
    func injection(name: String, value: String) {
        var headers = HTTPHeaders()
        #expect(throws: HTTPError.self) { try headers.add(name, value) }
        #expect(headers.isEmpty)
        let bytes = encoder().encode(HTTPResponse(status: .ok), date: "a\r\nb: c")
        #expect(!text(bytes).contains("b: c"))
    }

    @Test("streams: chunks in 1.1, end of connection in 1.0, nothing for HEAD")
    func streams() {
        func stream(_ encoder: HTTPResponseEncoder) -> (String, Bool) {
            var encoder = encoder
            var out = encoder.beginStream(.ok, HTTPHeaders(), date: "")
            out += encoder.chunk(Array("hello world, hello".utf8))
            out += encoder.chunk([])
            out += encoder.chunk([97])
            out += encoder.endStream()
            return (text(out), encoder.keepAlive)
        }
        #expect(
            stream(encoder())
                == (
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                        + "12\r\nhello world, hello\r\n1\r\na\r\n0\r\n\r\n", true
                ))
        #expect(
            stream(encoder(.get, .http10))
                == ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello world, helloa", false))
        #expect(
            stream(encoder(.head))
                == ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true))
    }

    @Test("every status that is named has a reason")
    func reasons() {
        for code in [100, 101, 200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 413, 414, 415] {
            #expect(HTTPStatus(rawValue: code).reason != "Unknown")
        }
        for code in [422, 426, 429, 431, 499, 500, 501, 502, 503, 504, 505] {
            #expect(HTTPStatus(rawValue: code).reason != "Unknown")
        }
        #expect(HTTPStatus(rawValue: 799).reason == "Unknown")
    }

    static let responses: [(String, [HTTPMethod], [String])] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
            [.get, .get], ["200 keepAlive=true", "body ab", "404 keepAlive=true", "body "]
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            [.get], ["200 keepAlive=true", "body abc"]
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nuntil the end", [.get],
            ["200 keepAlive=false", "body until the end"]
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            [.head, .delete], ["200 keepAlive=true", "body ", "204 keepAlive=true", "body "]
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", [.post],
            ["info 100", "200 keepAlive=true", "body a"]
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", [.get],
            ["200 keepAlive=true", "error truncated"]
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", [.get],
            ["error malformedFraming"]
        ),
    ]

    @Test("the client parser reads every framing, whole and byte by byte", arguments: responses)
    func clientParser(bytes: String, methods: [HTTPMethod], expected: [String]) {
        let bytes = raw(bytes)
        #expect(Transcript(responses: [bytes], to: methods).lines == expected)
        #expect(Transcript(responses: bytes.map { [$0] }, to: methods).lines == expected)
    }

    @Test("what the encoder writes, the parser reads")
    func roundTrip() {
        var bytes = encoder().encode(
            HTTPResponse(status: .conflict, contentType: "text/plain", body: [97, 98]), date: date)
        var stream = encoder()
        bytes += stream.beginStream(.ok, HTTPHeaders(), date: date)
        bytes += stream.chunk([99]) + stream.chunk(Array(repeating: 100, count: 300))
        bytes += stream.endStream()
        #expect(
            Transcript(responses: [bytes], to: [.get, .get]).lines == [
                "409 keepAlive=true", "body ab", "200 keepAlive=true",
                "body c\(String(repeating: "d", count: 300))",
            ])
    }
}
