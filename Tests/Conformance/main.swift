import ConformanceSchema
import Glibc
import Protobuf

// The testee of protobuf's official conformance suite (`deploy/conformance` runs both):
// length-prefixed requests on standard input, length-prefixed answers on standard output.

/// Exactly that many bytes; nil at the end of the input.
func readBytes(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
        let taken = bytes.withUnsafeMutableBytes {
            read(STDIN_FILENO, $0.baseAddress?.advanced(by: filled), count - filled)
        }
        guard taken > 0 else { return nil }
        filled += taken
    }
    return bytes
}

func writeBytes(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
        let taken = bytes.withUnsafeBytes {
            write(STDOUT_FILENO, $0.baseAddress?.advanced(by: sent), bytes.count - sent)
        }
        guard taken > 0 else { exit(1) }
        sent += taken
    }
}

let testee = Testee()
while let prefix = readBytes(4) {
    let count = prefix.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard let bytes = readBytes(count) else { exit(1) }
    do {
        let answer = testee.answer(try Testee.Request(decoding: bytes)).encoded()
        let size = UInt32(answer.count)
        writeBytes((0..<4).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) } + answer)
    } catch {
        exit(2)
    }
}
