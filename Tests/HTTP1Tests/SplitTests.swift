import HTTP1
import Testing

/// What arrives together and what arrives byte by byte must mean the same.
struct SplitTests {
    @Test(
        "cut in two at every byte",
        arguments: (Row.valid + Row.attacks).filter { $0.bytes.count < 600 })
    func cutInTwo(row: Row) {
        let whole = Transcript(requests: [row.bytes])
        for cut in 0...row.bytes.count {
            let parts = [Array(row.bytes[..<cut]), Array(row.bytes[cut...])]
            #expect(Transcript(requests: parts) == whole, "\(row.name) cut at \(cut)")
        }
    }

    @Test(
        "byte by byte", arguments: (Row.valid + Row.attacks).filter { $0.bytes.count < 20_000 })
    func byteByByte(row: Row) {
        let whole = Transcript(requests: [row.bytes])
        #expect(Transcript(requests: row.bytes.map { [$0] }) == whole, "\(row.name)")
    }

    @Test("limits are met to the byte, whole and in pieces")
    func limitsToTheByte() {
        let frame = raw("GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n").count
        for extra in [-1, 0, 1] {
            let value = String(repeating: "b", count: 16384 - frame + extra)
            let bytes = raw("GET / HTTP/1.1\r\nHost: a\r\nA: \(value)\r\n\r\n")
            let whole = Transcript(requests: [bytes])
            #expect(whole.description.contains("error 431") == (extra > 0), "\(extra)")
            #expect(Transcript(requests: bytes.map { [$0] }) == whole)
        }
        for (length, fits) in [(8191, true), (8192, true), (8193, false)] {
            let path = "/" + String(repeating: "a", count: length - 1)
            let bytes = raw("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            let whole = Transcript(requests: [bytes])
            #expect(whole.description.contains("error 414") != fits, "\(length)")
            #expect(Transcript(requests: bytes.map { [$0] }) == whole)
        }
    }
}
