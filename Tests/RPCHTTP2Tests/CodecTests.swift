import RPC
import Testing

@testable import RPCHTTP2

@Suite("gRPC framing: tables")
struct CodecTests {
    @Test(
        "grpc-timeout",
        arguments: [
            ("1H", .seconds(3600)), ("2M", .seconds(120)), ("3S", .seconds(3)),
            ("99999999m", .milliseconds(99_999_999)), ("5u", .microseconds(5)),
            ("0n", .zero), ("", nil), ("S", nil), ("1", nil), ("1s", nil), ("-1S", nil),
            ("123456789S", nil), ("1 S", nil),
        ] as [(String, Duration?)])
    func parseTimeout(text: String, duration: Duration?) {
        let parsed = Array(text.utf8).withUnsafeBytes { GRPCTimeout.parse($0) }
        #expect(parsed == duration)
    }

    @Test(
        "grpc-timeout is printed with at most 8 digits, never early",
        arguments: [
            (0, "1n"), (99_999_999, "99999999n"), (100_000_001, "100001u"),
            (1_000_000_000, "1000000u"), (Int64.max, "2562048H"),
        ] as [(Int64, String)])
    func printTimeout(nanoseconds: Int64, text: String) {
        let printed = GRPCTimeout.print(nanoseconds: nanoseconds)
        #expect(printed == text)
        #expect(printed.utf8.count <= 9)
    }

    @Test(
        "grpc-message",
        arguments: ["plain", "100 %", "ä☺😈", "\u{0}\n\r\t", "%41", ""])
    func message(text: String) {
        let encoded = StatusMessage.encode(text)
        let isPrintable = encoded.allSatisfy { $0 >= 0x20 && $0 <= 0x7e }
        #expect(isPrintable)
        #expect(encoded.withUnsafeBytes { StatusMessage.decode($0) } == text)
    }

    @Test(
        "grpc-message that is badly encoded is read as far as possible",
        arguments: [
            ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%41%", "aA%"), ("%FF", "\u{fffd}"),
        ])
    func brokenMessage(text: String, decoded: String) {
        #expect(Array(text.utf8).withUnsafeBytes { StatusMessage.decode($0) } == decoded)
    }

    @Test("messages come out whole however the bytes are cut")
    func deframer() {
        let messages: [[UInt8]] = [[], [1], Array(0..<200), [], [7, 8]]
        let flags: [UInt8] = [1, 0, 1, 0, 0]
        let bytes = zip(flags, messages).flatMap { flag, message in
            ([flag, 0, 0, 0, UInt8(message.count)] as [UInt8]) + message
        }
        for size in 1...bytes.count {
            let deframer = MessageDeframer()
            var received: [[UInt8]] = []
            var receivedFlags: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                let piece = Array(bytes[start..<min(start + size, bytes.count)])
                let problem = piece.withUnsafeBytes {
                    deframer.receive($0, limit: 200) { message, isCompressed in
                        received.append(message)
                        receivedFlags.append(isCompressed ? 1 : 0)
                    }
                }
                #expect(problem == nil)
            }
            #expect(received == messages)
            #expect(receivedFlags == flags)
            #expect(deframer.isBetweenMessages)
        }
    }

    @Test("the size limit is checked before a byte of the message is kept")
    func deframerLimit() {
        let deframer = MessageDeframer()
        let problem = ([0, 0, 0, 0, 11] as [UInt8]).withUnsafeBytes {
            deframer.receive($0, limit: 10) { _, _ in }
        }
        guard case .tooLarge(11) = problem else {
            Issue.record("\(String(describing: problem))")
            return
        }
        #expect(deframer.bufferedBytes == 5)
    }

    @Test("back-off: 1 s, times 1.6, at most 120 s, ±20 %")
    func backoff() {
        var backoff = Backoff(ChannelConfiguration())
        #expect(backoff.delay(random: 0.5) == .seconds(1))
        #expect(backoff.delay(random: 0.5) == .seconds(1.6))
        for _ in 0..<20 { _ = backoff.delay(random: 0.5) }
        #expect(backoff.delay(random: 0.5) == .seconds(120))
        #expect(backoff.delay(random: 0) == .seconds(96))
        backoff.reset()
        #expect(backoff.delay(random: 0) == .seconds(0.8))
    }
}
