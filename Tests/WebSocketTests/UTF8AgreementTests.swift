import Testing
import WebSocket

struct UTF8AgreementTests {
    /// The standard library is the second opinion: every one- to three-byte text around the edges
    /// of the encoding, one fragment per byte.
    @Test("incremental UTF-8 agrees with the standard library")
    func agrees() {
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        var disagreements: [[UInt8]] = []
        for first in edges {
            for second in edges {
                for third in edges {
                    for length in 1...4 {
                        let bytes = Array([first, second, third, 0x80][..<length])
                        let isValid = String(validating: bytes, as: UTF8.self) != nil
                        let lines = transcript([fragments(bytes)])
                        if (lines != ["error 1007"]) != isValid { disagreements.append(bytes) }
                    }
                }
            }
        }
        #expect(disagreements.isEmpty)
    }

    private func fragments(_ bytes: [UInt8]) -> [UInt8] {
        bytes.enumerated().flatMap { index, byte in
            masked((index == bytes.count - 1 ? 0x80 : 0) | (index == 0 ? 1 : 0), [byte])
        }
    }

    @Test("a character at every position behind ASCII runs", arguments: 0..<20)
    func runs(length: Int) {
        let text =
            String(repeating: "a", count: length) + "€" + String(repeating: "b", count: length)
        #expect(transcript([masked(0x81, Array(text.utf8))]) == ["text \(text)"])
        let broken = Array(repeating: UInt8(97), count: length) + [0xFF]
        #expect(transcript([masked(0x81, broken)]) == ["error 1007"])
    }
}
