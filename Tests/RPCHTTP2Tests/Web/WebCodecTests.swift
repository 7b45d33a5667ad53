import Compression
import Protobuf
import RPC
import Testing

@testable import RPCHTTP2

@Suite("gRPC-Web and Connect: pure values")
struct WebCodecTests {
    @Test("base64 in pieces of any size, padded anywhere a part ends")
    func base64() {
        let parts: [[UInt8]] = [[], [1], [2, 3], [4, 5, 6], Array(0...255)]
        let text = parts.flatMap(Base64Stream.encode)
        for size in 1...9 {
            var stream = Base64Stream()
            var out: [UInt8] = []
            for start in stride(from: 0, to: text.count, by: size) {
                let piece = Array(text[start..<min(start + size, text.count)])
                #expect(piece.withUnsafeBytes { stream.decode($0, into: &out) })
            }
            #expect(out == Array(parts.joined()))
            #expect(stream.isBetweenGroups)
        }
    }

    @Test(
        "what is no base64", arguments: ["A", "=", "A===", "AA=A", "AB CD", "AA-_", "AAAA=", "AA"])
    func badBase64(text: String) {
        var stream = Base64Stream()
        var out: [UInt8] = []
        let isGood = Array(text.utf8).withUnsafeBytes { stream.decode($0, into: &out) }
        #expect(!isGood || !stream.isBetweenGroups)
    }

    @Test(
        "queries of a GET",
        arguments: [
            ("encoding=json&message=%7B%7D", "{}"), ("message=a+b%2B&encoding=proto", "a b+"),
            ("connect=v1&encoding=proto&base64=1&message=-_8", "\u{fb}\u{ff}"),
            ("encoding=proto&base64=1&message=QQ%3D%3D", "A"),
            ("encoding=proto&message=", ""), ("encoding=proto&base64=0&message=QQ", "QQ"),
            ("encoding=json", nil), ("message=a", nil), ("encoding=xml&message=a", nil),
            ("connect=v2&encoding=json&message=a", nil), ("encoding=json&message=%4", nil),
            ("encoding=json&message=%zz", nil), ("encoding=proto&base64=1&message=A", nil),
            ("encoding=proto&base64=1&message=a+b", nil), ("encoding=proto&base64=2&message=", nil),
            ("", nil),
        ] as [(String, String?)])
    func queries(text: String, message: String?) {
        let query = ConnectQuery(Array(text.utf8)[...])
        #expect((query.problem == nil) == (message != nil))
        guard let message else { return }
        #expect(query.message == message.unicodeScalars.map { UInt8($0.value) })
        #expect(query.compression == .identity)
    }

    @Test(
        "HTTP status and name of each code",
        arguments: [
            (1, 499, "canceled"), (2, 500, "unknown"), (3, 400, "invalid_argument"),
            (4, 504, "deadline_exceeded"), (5, 404, "not_found"), (6, 409, "already_exists"),
            (7, 403, "permission_denied"), (8, 429, "resource_exhausted"),
            (9, 400, "failed_precondition"), (10, 409, "aborted"), (11, 400, "out_of_range"),
            (12, 501, "unimplemented"), (13, 500, "internal"), (14, 503, "unavailable"),
            (15, 500, "data_loss"), (16, 401, "unauthenticated"), (99, 500, "unknown"),
        ])
    func codes(code: Int32, status: Int, name: String) {
        let code = RPCError.Code(rawValue: code)
        #expect(ConnectError.httpStatus(code) == status)
        #expect(ConnectError.json(RPCError(code, ""))["code"]?.string == name)
    }
}
