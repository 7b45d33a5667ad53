import HTTP2
import Loop
import RPC
import Testing

@testable import RPCHTTP2

@Suite("Answers that are not gRPC's", .timeLimit(.minutes(5)))
struct ForeignAnswerTests {
    @Test("the header of a proxy's answer is in the error, with and without a body")
    func header() async throws {
        let server = try await RawServer { request in
            let fields = HTTP2Fields()
            fields.append(":status", "503")
            fields.append("content-type", "text/html")
            fields.append("retry-after", "7")
            guard request.number > 0 else {
                request.peer.session?.respondOnly(request.stream, fields)
                return
            }
            request.peer.session?.respond(request.stream, fields)
            _ = [UInt8]("<p>busy</p>".utf8).withUnsafeBytes { request.stream.write($0) }
            request.stream.endBody(trailers: nil)
        }
        let channel = try HTTP2Channel(target: "\(server.address)", loop: EventLoop())
        for _ in 0..<2 {
            let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("HTTP status 503") == true)
            #expect(error?.metadata.first("retry-after") == "7")
        }
    }

    @Test("ten failed connections a second are told one by one, the others counted")
    func failureLog() {
        var log = FailureLog()
        let told = (0..<100).map { log.admit(at: 5000 + $0) }
        #expect(told == [Int?](repeating: 0, count: 10) + [Int?](repeating: nil, count: 90))
        #expect(log.admit(at: 6000) == 90)
        #expect(log.admit(at: 6001) == 0)
    }
}
