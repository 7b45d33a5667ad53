/// Builds whole frames as plain bytes: once per message, shared by all the sockets that get it.
/// A server passes no mask; a client passes four random bytes per frame (RFC 6455 §5.3).
public enum WebSocketFrameEncoder {
    /// A text frame; the bytes must be UTF-8.
    public static func text(_ payload: [UInt8], mask: UInt32? = nil) -> [UInt8] {
        frame(.text, payload, mask: mask)
    }

    public static func text(_ payload: String, mask: UInt32? = nil) -> [UInt8] {
        frame(.text, Array(payload.utf8), mask: mask)
    }

    public static func binary(_ payload: [UInt8], mask: UInt32? = nil) -> [UInt8] {
        frame(.binary, payload, mask: mask)
    }

    /// A ping of at most 125 bytes.
    public static func ping(_ payload: [UInt8] = [], mask: UInt32? = nil) -> [UInt8] {
        frame(.ping, payload, mask: mask)
    }

    /// The answer to a ping, with its payload.
    public static func pong(_ payload: [UInt8] = [], mask: UInt32? = nil) -> [UInt8] {
        frame(.pong, payload, mask: mask)
    }

    /// A close frame. Without a code, or with one that may not be sent, it is empty. The reason is
    /// cut at a character so that 123 bytes hold it.
    public static func close(
        _ code: WebSocketCloseCode?, reason: String = "", mask: UInt32? = nil
    ) -> [UInt8] {
        guard let code, code.isValidOnWire else { return frame(.close, [], mask: mask) }
        var payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
        for scalar in reason.unicodeScalars {
            let bytes = UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            guard payload.count + bytes.count <= 125 else { break }
            payload.append(contentsOf: bytes)
        }
        return frame(.close, payload, mask: mask)
    }

    /// One frame, for fragments and tests. Traps when a control frame would be fragmented or longer
    /// than 125 bytes.
    public static func frame(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true, mask: UInt32? = nil
    ) -> [UInt8] {
        precondition(!opcode.isControl || (isFinal && payload.count <= 125))
        var out: [UInt8] = []
        out.reserveCapacity(payload.count + 14)
        out.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ...125: out.append(maskBit | UInt8(payload.count))
        case ...0xFFFF:
            out.append(maskBit | 126)
            appendBigEndian(UInt64(payload.count), bytes: 2, to: &out)
        default:
            out.append(maskBit | 127)
            appendBigEndian(UInt64(payload.count), bytes: 8, to: &out)
        }
        if let mask { withUnsafeBytes(of: mask) { out.append(contentsOf: $0) } }
        let start = out.count
        out.append(contentsOf: payload)
        if let mask {
            out.withUnsafeMutableBytes { bytes in
                WebSocketMask(key: mask).apply(
                    to: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), position: 0)
            }
        }
        return out
    }

    private static func appendBigEndian(_ value: UInt64, bytes: Int, to out: inout [UInt8]) {
        for index in (0..<bytes).reversed() {
            out.append(UInt8(truncatingIfNeeded: value >> (UInt64(index) * 8)))
        }
    }
}
