import HTTP1
import Testing

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

struct FuzzTests {
    /// Changes some bytes of a row, then compares the whole with random pieces: no crash, and the
    /// cut never changes the meaning.
    @Test("mutated requests never crash and mean the same however they are cut")
    func mutatedRequests() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(state: seed)
        let rows = (Row.valid + Row.attacks).filter { $0.bytes.count < 600 }
        let favourites = raw("\r\n\0 \t:;,%/0aF\u{FF}")
        for round in 0..<3000 {
            var bytes = rows[Int.random(in: 0..<rows.count, using: &random)].bytes
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                let byte = favourites.randomElement(using: &random) ?? 0
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = byte
                case 1: bytes.insert(byte, at: index)
                default: if bytes.count > 1 { bytes.remove(at: index) }
                }
            }
            let whole = Transcript(requests: [bytes])
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(
                Transcript(requests: pieces) == whole, "seed \(seed) round \(round) cut \(cut)")
            _ = Transcript(responses: pieces, to: [.get])
        }
    }

    @Test("random bytes never crash")
    func randomBytes() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(state: seed)
        for round in 0..<1000 {
            let bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let requests = Transcript(requests: [bytes])
            let isRequest = requests.lines.contains { !$0.hasPrefix("error") }
            #expect(!isRequest, "seed \(seed) round \(round)")
            _ = Transcript(responses: [raw("HTTP/1.1 200 OK\r\n"), bytes], to: [.get])
        }
    }
}
