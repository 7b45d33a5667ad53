import HTTP1
import Testing

struct TargetTests {
    private func head(_ target: String) throws -> HTTPRequestHead {
        var parser = HTTPRequestParser()
        raw("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").withUnsafeBytes { parser.feed($0) }
        guard case .head(let head) = try #require(try parser.next()) else {
            throw HTTPError(.truncated, "no head")
        }
        return head
    }

    @Test(
        "edge.md §5: segments are split raw and decoded once",
        arguments: [
            ("/", []), ("/a/b", ["a", "b"]), ("/a/", ["a", ""]), ("//a", ["", "a"]),
            ("/a%20b", ["a b"]), ("/a+b", ["a+b"]), ("/a%2Fb", ["a/b"]), ("/a%252Fb", ["a%2Fb"]),
            ("/..%2f..%2fetc", ["../../etc"]), ("/%E2%82%AC", ["€"]), ("/a:confirm", ["a:confirm"]),
            ("/.well-known/x", [".well-known", "x"]), ("/...", ["..."]), ("/a?b/c", ["a"]),
        ] as [(String, [String])])
    func segments(target: String, expected: [String]) throws {
        #expect(try head(target).pathSegments() == expected)
    }

    @Test(
        "edge.md §5: bad escapes, %00, invalid and overlong UTF-8, dot segments are 400",
        arguments: [
            "/%", "/%4", "/%zz", "/%u0041", "/a%00b", "/%ff", "/%c0%af", "/%c0%2e", "/%ed%a0%80",
            "/%f4%90%80%80", "/%e2%82", "/..", "/a/../b", "/.", "/%2e%2e/a", "/a/.%2e", "/%2E",
        ])
    func badSegments(target: String) throws {
        let head = try head(target)
        #expect {
            try head.pathSegments()
        } throws: { ($0 as? HTTPError)?.status == .badRequest }
    }

    @Test("query items are decoded as a form, in order")
    func query() throws {
        let items = try head("/?a=1&b=x+y%2B&a=%26%3D&c&&d=e=f").queryItems()
        #expect(items.map(\.name) == ["a", "b", "a", "c", "d"])
        #expect(items.map(\.value) == ["1", "x y+", "&=", "", "e=f"])
        #expect(try head("/a").query == nil)
        #expect(try head("/a").queryItems().isEmpty)
        #expect(try head("/a?").query?.isEmpty == true)
    }

    @Test("a bad query is 400", arguments: ["/?a=%", "/?%00=1", "/?a=%ff", "/?a=%c3"])
    func badQuery(target: String) throws {
        let head = try head(target)
        #expect(throws: HTTPError.self) { try head.queryItems() }
    }

    @Test("a path variable of several segments keeps its encoded slashes")
    func keepsSlash() throws {
        let segment = try #require(try head("/a%2Fb%20c").rawPathSegments.first)
        #expect(try PercentCoding.decode(segment, keepingSlash: true) == "a%2Fb c")
    }

    @Test("the absolute form gives the same path as the origin form")
    func absoluteForm() throws {
        var parser = HTTPRequestParser()
        raw("GET http://A:1/x%20y?z HTTP/1.1\r\nHost: a:1\r\n\r\n").withUnsafeBytes {
            parser.feed($0)
        }
        guard case .head(let head) = try #require(try parser.next()) else { return }
        #expect(try head.pathSegments() == ["x y"])
        #expect(head.query.map(Array.init) == [UInt8(ascii: "z")])
    }

    @Test("RFC 9112 §2.2: an empty line in front does not shift the target")
    func emptyLineFirst() {
        let lines = Transcript(requests: [raw("\r\nGET /a?b HTTP/1.1\r\nHost: h\r\n\r\n")]).lines
        #expect(lines.first?.hasPrefix("GET /a?b HTTP/1.1 ") == true)
        #expect(lines.first?.hasSuffix("[Host=h]") == true)
    }
}
