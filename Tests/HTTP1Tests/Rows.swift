import Testing

/// The attack rows of edge.md §5 with the only acceptable answer, and requests that must pass.
/// Every test that cuts or mutates bytes starts from these.
struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let status: Int

    init(_ name: String, _ status: Int, _ bytes: [UInt8]) {
        self.name = name
        self.status = status
        self.bytes = bytes
    }

    var testDescription: String { name }

    static let smuggling: [Row] = [
        Row("CL.TE", 400, request("Content-Length: 5\r\nTransfer-Encoding: chunked")),
        Row("TE.CL", 400, request("Transfer-Encoding: chunked\r\nContent-Length: 5")),
        Row("TE.TE", 400, request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        Row("TE.TE other", 501, request("Transfer-Encoding: identity\r\nTransfer-Encoding: x")),
        Row("TE twice in one", 400, request("Transfer-Encoding: chunked, chunked")),
        Row("TE list", 400, request("Transfer-Encoding: gzip, chunked")),
        Row("TE unknown", 501, request("Transfer-Encoding: gzip")),
        Row("TE identity", 501, request("Transfer-Encoding: identity")),
        Row("TE empty", 400, request("Transfer-Encoding:")),
        Row("TE obs-text", 400, request("Transfer-Encoding: \u{A0}chunked")),
        Row("TE vertical tab", 400, request("Transfer-Encoding: \u{0B}chunked")),
        Row("TE quoted", 400, request("Transfer-Encoding: \"chunked\"")),
        Row("TE parameter", 400, request("Transfer-Encoding: chunked;a=b")),
        Row("CL repeated", 400, request("Content-Length: 5\r\nContent-Length: 5")),
        Row("CL different", 400, request("Content-Length: 5\r\nContent-Length: 6")),
        Row("CL list", 400, request("Content-Length: 5, 5")),
        Row("CL plus", 400, request("Content-Length: +1")),
        Row("CL minus", 400, request("Content-Length: -1")),
        Row("CL underscore", 400, request("Content-Length: 1_0")),
        Row("CL hex", 400, request("Content-Length: 0x10")),
        Row("CL empty", 400, request("Content-Length: ")),
        Row("CL space inside", 400, request("Content-Length: 1 0")),
        Row("CL overflow", 400, request("Content-Length: 99999999999999999999")),
        Row("CL fraction", 400, request("Content-Length: 1.0")),
        Row(
            "TE in 1.0", 400, raw("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        Row("space before colon", 400, request("Content-Length : 5")),
        Row("tab before colon", 400, request("Content-Length\t: 5")),
        Row("obs-fold", 400, request("A: b\r\n c")),
        Row("obs-fold tab", 400, request("A: b\r\n\tc")),
        Row("fold as first line", 400, raw("GET / HTTP/1.1\r\n Host: a\r\n\r\n")),
        Row("bare LF in fields", 400, request("A: b\nC: d")),
        Row("bare LF at the end", 400, raw("GET / HTTP/1.1\r\nHost: a\r\n\n")),
        Row("only LF", 400, raw("GET / HTTP/1.1\nHost: a\n\n")),
        Row("bare CR in value", 400, request("A: b\rC: d")),
        Row("bare CR at line end", 400, request("A: b\r\r\nC: d")),
        Row("NUL in value", 400, request("A: b\0c")),
        Row("NUL in name", 400, request("A\0: b")),
        Row("DEL in value", 400, request("A: b\u{7F}")),
        Row("empty name", 400, request(": b")),
        Row("no colon", 400, request("Content-Length 5")),
        Row("name with obs-text", 400, request("A\u{E9}: b")),
        Row("name with quote", 400, request("\"A\": b")),
        Row("no Host", 400, raw("GET / HTTP/1.1\r\n\r\n")),
        Row("Host twice", 400, request("Host: a")),
        Row("Host empty", 400, raw("GET / HTTP/1.1\r\nHost:\r\n\r\n")),
        Row("Host list", 400, raw("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n")),
        Row("Host with user", 400, raw("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n")),
        Row("Host with path", 400, raw("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")),
        Row("Host differs", 400, raw("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("absolute without Host", 400, raw("GET http://b/ HTTP/1.1\r\n\r\n")),
    ]

    static let startLines: [Row] = [
        Row("version 1.32", 400, raw("GET / HTTP/1.32\r\nHost: a\r\n\r\n")),
        Row("version 1.2", 505, raw("GET / HTTP/1.2\r\nHost: a\r\n\r\n")),
        Row("version 2.0", 505, raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        Row("version 0.9", 505, raw("GET / HTTP/0.9\r\n\r\n")),
        Row("version lower case", 400, raw("GET / http/1.1\r\nHost: a\r\n\r\n")),
        Row("version missing", 400, raw("GET /\r\n\r\n")),
        Row("version +1.1", 400, raw("GET / HTTP/+1.1\r\nHost: a\r\n\r\n")),
        Row("two spaces", 400, raw("GET  / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("tab as space", 400, raw("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("space at the end", 400, raw("GET / HTTP/1.1 \r\nHost: a\r\n\r\n")),
        Row("space in front", 400, raw(" GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("space in target", 400, raw("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("two empty lines first", 400, raw("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("method not a token", 400, raw("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("method lower case", 501, raw("get / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("CONNECT", 501, raw("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")),
        Row("TRACE", 501, raw("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("no slash", 400, raw("GET a HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("star for GET", 400, raw("GET * HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("fragment", 400, raw("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("raw high byte", 400, raw("GET /\u{FF} HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("NUL in target", 400, raw("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("backslash", 400, raw("GET /..\\a HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("quote in query", 400, raw("GET /?a=\"b\" HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("TLS hello", 400, raw("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{FC}\u{3}\u{3}\r\n\r\n")),
    ]

    static let chunks: [Row] = [
        Row("0x size", 400, chunked("0x5\r\nabcde\r\n0\r\n\r\n")),
        Row("underscore size", 400, chunked("5_0\r\nabcde\r\n0\r\n\r\n")),
        Row("plus size", 400, chunked("+5\r\nabcde\r\n0\r\n\r\n")),
        Row("empty size", 400, chunked("\r\nabcde\r\n0\r\n\r\n")),
        Row("not hex", 400, chunked("g\r\nabcde\r\n0\r\n\r\n")),
        Row("space before size", 400, chunked(" 5\r\nabcde\r\n0\r\n\r\n")),
        Row("space behind size", 400, chunked("5 \r\nabcde\r\n0\r\n\r\n")),
        Row("size overflow", 400, chunked("FFFFFFFFFFFFFFFFF\r\nabcde\r\n0\r\n\r\n")),
        Row("size wraps", 400, chunked("10000000000000005\r\nabcde\r\n0\r\n\r\n")),
        Row("size above limit", 413, chunked("FFFFFFFFFFFFFFF\r\nabcde\r\n0\r\n\r\n")),
        Row("bare LF behind size", 400, chunked("5\nabcde\r\n0\r\n\r\n")),
        Row("bare CR behind size", 400, chunked("5\rabcde\r\n0\r\n\r\n")),
        Row("chunk longer", 400, chunked("5\r\nabcdef\r\n0\r\n\r\n")),
        Row("chunk shorter", 400, chunked("5\r\nabcd\r\n0\r\n\r\n")),
        Row("no CRLF behind data", 400, chunked("5\r\nabcde0\r\n\r\n")),
        Row("LF behind data", 400, chunked("5\r\nabcde\n0\r\n\r\n")),
        Row(
            "long extension", 400, chunked("5;\(String(repeating: "a", count: 1100))\r\nabcde\r\n")),
        Row(
            "long extension never ends", 400,
            chunked("5;\(String(repeating: "a", count: 1100))")),
        Row(
            "many extensions", 400,
            chunked(String(repeating: "1;aaaaaaaaaaaaaaaa\r\nx\r\n", count: 100))),
        Row("control byte in extension", 400, chunked("5;a\0\r\nabcde\r\n0\r\n\r\n")),
        Row("LF in extension", 400, chunked("5;a\nb\r\nabcde\r\n0\r\n\r\n")),
        Row("trailer without colon", 400, chunked("0\r\nabc\r\n\r\n")),
        Row("trailer with empty name", 400, chunked("0\r\n: abc\r\n\r\n")),
        Row("trailer fold", 400, chunked("0\r\nA: b\r\n c\r\n\r\n")),
        Row("trailer bare LF", 400, chunked("0\r\nA: b\n\r\n")),
        Row("trailers too many", 431, chunked("0\r\n\(String(repeating: "A: b\r\n", count: 101))")),
        Row("trailer too long", 431, chunked("0\r\nA: \(String(repeating: "b", count: 17000))")),
    ]

    static let limits: [Row] = [
        Row(
            "101 fields", 431,
            request(Array(repeating: "A: b", count: 100).joined(separator: "\r\n"))),
        Row("long field", 431, request("A: \(String(repeating: "b", count: 16400))")),
        Row(
            "endless field", 431,
            raw("GET / HTTP/1.1\r\nA: \(String(repeating: "b", count: 16400))")),
        Row(
            "bare LF behind the limit", 431,
            request("A: \(String(repeating: "b", count: 16400))\nB: c")),
        Row(
            "long target", 414,
            raw("GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("endless target", 414, raw("GET /\(String(repeating: "a", count: 9000))")),
        Row("endless method", 414, raw(String(repeating: "A", count: 9000))),
        Row("body too large", 413, request("Content-Length: 1048577")),
        Row(
            "chunks too large", 413,
            chunked("FFFFF\r\n\(String(repeating: "a", count: 0xFFFFF))\r\n2\r\n")),
    ]

    static let valid: [Row] = [
        Row("plain", 0, raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("empty line first", 0, raw("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("body", 0, raw("POST /a?b=c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc")),
        Row("empty body", 0, request("Content-Length: 0")),
        Row(
            "zeros in length", 0,
            raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc")),
        Row(
            "pipelined", 0,
            raw(
                "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                    + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "PUT /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                    + "3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
                    + "DELETE /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5 HTTP")),
        Row(
            "trailers inject", 0, chunked("1\r\na\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n")),
        Row("1.0 without Host", 0, raw("GET / HTTP/1.0\r\n\r\n")),
        Row("1.0 keep-alive", 0, raw("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")),
        Row("absolute form", 0, raw("GET http://A:1/x?y HTTP/1.1\r\nHost: a:1\r\n\r\n")),
        Row("OPTIONS *", 0, raw("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")),
        Row("obs-text value", 0, request("A: \u{E9}")),
        Row("whitespace around value", 0, request("A: \t b c \t ")),
        Row("empty value", 0, request("A:")),
        Row("expect", 0, request("Expect: 100-Continue\r\nContent-Length: 4")),
        Row(
            "upgrade", 0,
            raw(
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
                    + "Upgrade: websocket\r\n\r\n")),
    ]

    static let attacks = smuggling + startLines + chunks + limits
}
