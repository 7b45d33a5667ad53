import HTTP1
import Testing

struct RequestParserTests {
    private func parser(_ text: String, limits: HTTPLimits = HTTPLimits()) -> HTTPRequestParser {
        var parser = HTTPRequestParser(limits: limits)
        raw(text).withUnsafeBytes { parser.feed($0) }
        return parser
    }

    private func head(_ text: String) throws -> HTTPRequestHead {
        var parser = parser(text)
        guard case .head(let head) = try #require(try parser.next()) else {
            throw HTTPError(.truncated, "no head")
        }
        return head
    }

    @Test("pipelined requests come out one at a time, in order; nothing after close")
    func pipelining() throws {
        let row = try #require(Row.valid.first { $0.name == "pipelined" })
        let lines = Transcript(requests: [row.bytes]).lines
        #expect(lines[0].hasPrefix("POST /1 HTTP/1.1 keepAlive=true length=2"))
        #expect(lines[1] == "body ab")
        #expect(lines[2].hasPrefix("GET /2"))
        #expect(lines[3] == "body ")
        #expect(lines[4].hasPrefix("PUT /3"))
        #expect(lines[5] == "body abc0123456789")
        #expect(lines[6].hasPrefix("DELETE /4 HTTP/1.1 keepAlive=false"))
        #expect(lines.count == 8)
    }

    @Test("a pipelined request waits until it is asked for")
    func pipelinedBytesWait() throws {
        var parser = parser("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n")
        _ = try parser.next()
        guard case .end = try #require(try parser.next()) else {
            Issue.record("the request has no end")
            return
        }
        #expect(parser.bufferedBytes == 17)
        #expect(!parser.isIdle)
        raw("Host: a\r\n\r\n").withUnsafeBytes { parser.feed($0) }
        guard case .head(let head) = try #require(try parser.next()) else {
            Issue.record("no second head")
            return
        }
        #expect(head.target == "/2")
        _ = try parser.next()
        #expect(parser.isIdle)
    }

    @Test(
        "RFC 9112 §9.3: keep-alive",
        arguments: [
            ("HTTP/1.1\r\nHost: a", true), ("HTTP/1.1\r\nHost: a\r\nConnection: close", false),
            ("HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE", false),
            ("HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close", false),
            ("HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close", false),
            ("HTTP/1.0\r\nHost: a", false), ("HTTP/1.0\r\nConnection: keep-alive", true),
            ("HTTP/1.0\r\nConnection: keep-alive, close", false),
            ("HTTP/1.1\r\nHost: a\r\nConnection: closed", true),
        ])
    func keepAlive(lines: String, expected: Bool) throws {
        #expect(try head("GET / \(lines)\r\n\r\n").keepAlive == expected)
    }

    @Test("Upgrade is surfaced, and the bytes behind the head are handed on")
    func upgrade() throws {
        var parser = parser(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u{81}\u{80}"
        )
        guard case .head(let head) = try #require(try parser.next()) else {
            Issue.record("no head")
            return
        }
        #expect(head.isUpgrade)
        #expect(parser.takeRemaining() == [0x81, 0x80])
        raw("GET / HTTP/1.1\r\n").withUnsafeBytes { parser.feed($0) }
        #expect(try parser.next() == nil)
        #expect(try !self.head("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").isUpgrade)
    }

    @Test("Expect: 100-continue is surfaced only when a body follows in HTTP/1.1")
    func expectContinue() throws {
        let line = "Expect: 100-continue\r\n"
        #expect(
            try head("POST / HTTP/1.1\r\nHost: a\r\n\(line)Content-Length: 4\r\n\r\n")
                .expectsContinue)
        #expect(try !head("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n").expectsContinue)
        #expect(
            try !head("POST / HTTP/1.0\r\nHost: a\r\n\(line)Content-Length: 4\r\n\r\n")
                .expectsContinue)
    }

    @Test("the body limit of a route holds for its request only, before the body arrives")
    func bodyLimitPerRoute() throws {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
        var parser = parser(post + "abcd" + post)
        _ = try parser.next()
        parser.bodyLimit = 4
        guard case .body(let body) = try #require(try parser.next()) else {
            Issue.record("no body")
            return
        }
        #expect(body == Array("abcd".utf8))
        _ = try parser.next()
        #expect(parser.bodyLimit == HTTPLimits().bodyBytes)
        _ = try parser.next()
        parser.bodyLimit = 3
        #expect {
            try parser.next()
        } throws: { ($0 as? HTTPError)?.status == .contentTooLarge }
    }

    @Test("chunked bodies are counted while they arrive")
    func chunkedLimit() {
        let limits = HTTPLimits(bodyBytes: 5)
        let fits = Transcript(
            requests: [chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")], limits: limits)
        #expect(fits.lines.last == "body abcde")
        let over = Transcript(requests: [chunked("3\r\nabc\r\n3\r\n")], limits: limits)
        #expect(over.lines.last == "error 413 bodyTooLarge")
        let sum = chunked("2\r\nab\r\n2\r\ncd\r\n2\r\n")
        #expect(Transcript(requests: [sum], limits: limits).lines.last == "error 413 bodyTooLarge")
    }

    @Test("bytes behind a request that closes are neither kept nor read")
    func nothingAfterClose() throws {
        var parser = parser("GET / HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
        _ = try parser.next()
        _ = try parser.next()
        #expect(parser.bufferedBytes == 0)
        raw("GET /3 HTTP/1.0\r\n\r\n").withUnsafeBytes { parser.feed($0) }
        #expect(parser.bufferedBytes == 0)
        #expect(try parser.next() == nil)
    }

    @Test("fields are found without case and kept in order")
    func headers() throws {
        let head = try head(
            "GET / HTTP/1.1\r\nHOST: a\r\nX-A: 1\r\nx-a:2 \r\nAccept: a, b;q=1\r\n\r\n")
        #expect(head.headers.count == 4)
        #expect(head.headers.first("x-A") == "1")
        #expect(head.headers.all("X-a") == ["1", "2"])
        #expect(head.headers.first("missing") == nil)
        #expect(head.headers.hasToken("A", in: "accept"))
        #expect(!head.headers.hasToken("b", in: "accept"))
        #expect(head.headers.firstBytes("host").map(Array.init) == [97])
        #expect(head.headers.field(at: 0) == ("HOST", "a"))
    }
}
