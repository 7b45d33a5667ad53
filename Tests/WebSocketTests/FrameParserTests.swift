import Testing
import WebSocket

struct FrameParserTests {
    @Test("RFC 6455 §5: what is allowed gives its events", arguments: FrameRow.valid)
    func accepts(row: FrameRow) {
        #expect(transcript([row.bytes]) == row.expected)
    }

    @Test("edge.md §5: every attack has its close code", arguments: FrameRow.attacks)
    func refuses(row: FrameRow) {
        #expect(transcript([row.bytes]) == row.expected)
    }

    @Test(
        "cut in two at every byte, and byte by byte", arguments: FrameRow.valid + FrameRow.attacks)
    func cuts(row: FrameRow) {
        #expect(transcript(row.bytes.map { [$0] }) == row.expected)
        for cut in 0...min(row.bytes.count, 400) {
            let pieces = [Array(row.bytes[..<cut]), Array(row.bytes[cut...])]
            #expect(transcript(pieces) == row.expected, "cut at \(cut)")
        }
    }

    @Test("close codes: only those valid on the wire")
    func closeCodes() {
        let valid = Set(
            [1000, 1001, 1002, 1003, 3000, 4999, 4001, 4008, 4009] + Array(1007...1014))
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] + valid
        {
            let frame = masked(0x88, [UInt8(code >> 8), UInt8(code & 255)])
            let expected = valid.contains(code) ? "close \(code) " : "error 1002"
            #expect(transcript([frame]) == [expected], "\(code)")
        }
    }

    @Test("invalid text is refused at the byte that proves it, inside an unfinished frame")
    func failsFast() {
        let frame = masked(0x81, [97, 0xC0] + Array(repeating: 97, count: 50))
        #expect(transcript([Array(frame[..<8])]) == ["error 1007"])
        #expect(transcript([[0x83]]) == ["error 1002"])
        #expect(transcript([[0x81, 0x05]]) == ["error 1002"])
    }

    @Test("an error stays, and bytes behind it are not read")
    func errorIsFinal() {
        var parser = WebSocketFrameParser(role: .server)
        [UInt8(0x83)].withUnsafeBytes { parser.feed($0) }
        #expect(throws: WebSocketError.self) { try parser.next() }
        masked(0x81, [97]).withUnsafeBytes { parser.feed($0) }
        #expect(throws: WebSocketError.self) { try parser.next() }
    }

    @Test("the message limit counts to the byte")
    func limit() {
        let ten = Array(repeating: UInt8(97), count: 10)
        #expect(transcript([masked(0x81, ten)], limit: 10) == ["text aaaaaaaaaa"])
        #expect(transcript([masked(0x81, ten)], limit: 9) == ["error 1009"])
        #expect(
            transcript([masked(0x01, ten) + masked(0x80, [])], limit: 10) == ["text aaaaaaaaaa"])
        #expect(transcript([masked(0x01, ten) + masked(0x80, [97])], limit: 10) == ["error 1009"])
        #expect(transcript([masked(0x89, ten)], limit: 0) == ["ping \(ten)"])
    }

    @Test("a client reads unmasked frames and refuses masked ones")
    func clientRole() {
        let frames =
            WebSocketFrameEncoder.text("€") + WebSocketFrameEncoder.ping([1])
            + WebSocketFrameEncoder.close(.tooSlow, reason: "slow")
        #expect(transcript([frames], role: .client) == ["text €", "ping [1]", "close 4008 slow"])
        #expect(transcript([masked(0x81, [97])], role: .client) == ["error 1002"])
    }

    @Test("mutated frames never crash and mean the same however they are cut")
    func fuzz() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(state: seed)
        let rows = (FrameRow.valid + FrameRow.attacks).filter { $0.bytes.count < 400 }
        for round in 0..<4000 {
            var bytes = rows[Int.random(in: 0..<rows.count, using: &random)].bytes
            bytes += rows[Int.random(in: 0..<rows.count, using: &random)].bytes
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] = UInt8.random(in: 0...255, using: &random)
            }
            let whole = transcript([bytes])
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(transcript(pieces) == whole, "seed \(seed) round \(round) cut \(cut)")
            let noise = (0..<60).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = transcript([noise])
            _ = transcript([noise], role: .client)
        }
    }
}

/// A small generator whose seed is in the failure message, so that a run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
