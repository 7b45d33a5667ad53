import HTTP1
import Testing

struct RequestAttackTests {
    @Test("edge.md §5: every attack row has its one answer", arguments: Row.attacks)
    func refuses(row: Row) {
        let last = Transcript(requests: [row.bytes]).lines.last ?? ""
        #expect(last.hasPrefix("error \(row.status) "), "\(row.name): \(last)")
    }

    @Test("requests that RFC 9112 allows pass", arguments: Row.valid)
    func accepts(row: Row) {
        let transcript = Transcript(requests: [row.bytes])
        #expect(!transcript.lines.isEmpty)
        #expect(!transcript.description.contains("error"), "\(transcript)")
    }

    @Test("an error stays, and bytes behind it are not read")
    func errorIsFinal() {
        var parser = HTTPRequestParser()
        raw("BAD\r\n\r\n").withUnsafeBytes { parser.feed($0) }
        #expect(throws: HTTPError.self) { try parser.next() }
        raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").withUnsafeBytes { parser.feed($0) }
        #expect(throws: HTTPError.self) { try parser.next() }
        #expect(parser.bufferedBytes == 0)
    }

    @Test("trailer fields neither reach the head nor the body")
    func trailersAreDropped() throws {
        let row = try #require(Row.valid.first { $0.name == "trailers inject" })
        let transcript = Transcript(requests: [row.bytes])
        #expect(transcript.lines.count == 2)
        #expect(transcript.lines.last == "body a")
        #expect(!transcript.description.contains("evil"))
    }
}
