import Testing
import WebSocket

struct FrameEncoderTests {
    @Test("RFC 6455 §5.7: the examples of the standard")
    func examples() {
        #expect(WebSocketFrameEncoder.text("Hello") == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        let key = [UInt8]([0x37, 0xFA, 0x21, 0x3D]).withUnsafeBytes {
            $0.loadUnaligned(as: UInt32.self)
        }
        #expect(
            WebSocketFrameEncoder.text("Hello", mask: key)
                == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(
            WebSocketFrameEncoder.frame(.text, Array("Hel".utf8), isFinal: false)
                == [0x01, 0x03, 0x48, 0x65, 0x6C])
        #expect(WebSocketFrameEncoder.ping(Array("Hello".utf8)).prefix(2) == [0x89, 0x05])
        let long = Array(repeating: UInt8(1), count: 65536)
        #expect(WebSocketFrameEncoder.binary(Array(long[..<256])).prefix(4) == [0x82, 126, 1, 0])
        #expect(
            WebSocketFrameEncoder.binary(long).prefix(10) == [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test(
        "every length comes back, masked and not",
        arguments: [0, 1, 7, 8, 9, 124, 125, 126, 127, 255, 65534, 65535, 65536, 70001])
    func roundTrip(length: Int) throws {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for (mask, role) in [(testMask, WebSocketFrameParser.Role.server), (nil, .client)] {
            var parser = WebSocketFrameParser(role: role, maxMessageBytes: 100_000)
            WebSocketFrameEncoder.binary(payload, mask: mask).withUnsafeBytes { parser.feed($0) }
            #expect(try parser.next() == .binary(payload))
            #expect(try parser.next() == nil)
        }
    }

    @Test("close frames: code, reason cut at a character, nothing for codes not allowed")
    func close() {
        #expect(WebSocketFrameEncoder.close(.normal) == [0x88, 2, 0x03, 0xE8])
        #expect(WebSocketFrameEncoder.close(.noStatus) == [0x88, 0])
        #expect(WebSocketFrameEncoder.close(nil) == [0x88, 0])
        let long = WebSocketFrameEncoder.close(
            .goingAway, reason: String(repeating: "€", count: 60))
        #expect(long.count == 2 + 125)
        #expect(
            transcript([long], role: .client)
                == ["close 1001 \(String(repeating: "€", count: 41))"])
    }
}
