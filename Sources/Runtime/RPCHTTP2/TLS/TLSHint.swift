/// Names the commonest mistake of all: TLS on one side only. What came is the first bytes of a
/// connection that should have been plaintext HTTP/2.
enum TLSHint {
    /// A TLS record begins with its type (21 alert, 22 handshake) and version 3 (RFC 8446 §5.1).
    private static func isRecord(_ bytes: UnsafeRawBufferPointer, types: ClosedRange<UInt8>) -> Bool
    {
        bytes.count > 1 && types.contains(bytes[0]) && bytes[1] == 3
    }

    static func ofClient(_ bytes: UnsafeRawBufferPointer) -> String? {
        isRecord(bytes, types: 22...22) ? "the client speaks TLS, this port is plaintext" : nil
    }

    static func ofServer(_ bytes: UnsafeRawBufferPointer) -> String? {
        isRecord(bytes, types: 21...22)
            ? "the server speaks TLS on this port, the channel is configured for plaintext" : nil
    }
}
