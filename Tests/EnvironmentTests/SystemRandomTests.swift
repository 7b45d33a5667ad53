import Environment
import Testing

@Suite struct SystemRandomTests {
    @Test("any length is filled to the last byte", arguments: [0, 1, 16, 255, 256, 257, 1000])
    func fills(count: Int) {
        // A byte that stays zero forty times is one that nobody writes (chance 2^-320).
        var seen = [UInt8](repeating: 0, count: count)
        for _ in 0..<40 {
            let bytes = SystemRandom.bytes(count)
            #expect(bytes.count == count)
            for (index, byte) in bytes.enumerated() { seen[index] |= byte }
        }
        #expect(!seen.contains(0))
    }

    @Test func differs() {
        #expect(SystemRandom.bytes(32) != SystemRandom.bytes(32))
    }
}
