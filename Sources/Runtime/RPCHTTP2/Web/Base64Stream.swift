import RPC

/// Reads the body of `application/grpc-web-text`: base64 in any pieces, where padding may end
/// every part that the client encoded by itself (PROTOCOL-WEB.md).
package struct Base64Stream {
    private var bits: UInt32 = 0
    private var count = 0
    private var padding = 0

    package init() {}

    /// No group of four is begun.
    package var isBetweenGroups: Bool { count == 0 }

    /// Appends what the text says. False when it is no base64.
    package mutating func decode(_ text: UnsafeRawBufferPointer, into out: inout [UInt8]) -> Bool {
        for byte in text {
            if byte == UInt8(ascii: "=") {
                guard count >= 2 else { return false }
                padding += 1
                bits <<= 6
            } else {
                guard padding == 0, let value = MetadataBase64.value(of: byte) else { return false }
                bits = bits << 6 | UInt32(value)
            }
            count += 1
            guard count == 4 else { continue }
            for index in 0..<(3 - padding) {
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(16 - 8 * index)))
            }
            self = Base64Stream()
        }
        return true
    }

    /// One part of such a body, padded.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text = MetadataBase64.encode(bytes)
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return text
    }
}
