import Frames
import HTTP2

extension ConformanceRow {
    /// RFC 9113 §8: malformed requests.
    static let malformedRequests: [ConformanceRow] =
        [
            ConformanceRow(
                "8.1 a second HEADERS without END_STREAM", .streamError(.protocolError),
                .headers(1, end: false), .headers(1, end: false, [("x-a", "b")])),
            ConformanceRow(
                "8.1 pseudo-header fields in trailers", .streamError(.protocolError),
                .headers(1, end: false), .data(1, Frame.message),
                .headers(1, [(":method", "POST")])),
            ConformanceRow(
                "8.3 a pseudo-header field after a field", .streamError(.protocolError),
                .headers(1, [("x-a", "b")] + Frame.call)),
            ConformanceRow(
                "8.1.1 content-length that one DATA does not match", .streamError(.protocolError),
                .headers(1, end: false, Frame.fields([("content-length", "1")])),
                .data(1, Frame.message, end: true)),
            ConformanceRow(
                "8.1.1 content-length that several DATA do not match",
                .streamError(.protocolError),
                .headers(1, end: false, Frame.fields([("content-length", "1")])),
                .data(1, [0, 0, 0]), .data(1, [0, 1, 7], end: true)),
        ]
        + [
            ("8.2.1 a field name in upper case", [("X-Test", "a")]),
            ("8.3 an unknown pseudo-header field", [(":test", "a")]),
            ("8.3 a pseudo-header field of responses", [(":status", "200")]),
            ("8.2.2 connection", [("connection", "keep-alive")]),
            ("8.2.2 te other than trailers", [("te", "trailers, deflate")]),
            ("8.3.1 an empty :path", [(":path", "")]),
            ("8.3.1 no :method", [(":method", nil)]),
            ("8.3.1 no :scheme", [(":scheme", nil)]),
            ("8.3.1 no :path", [(":path", nil)]),
        ].map { name, changes in
            ConformanceRow(name, .streamError(.protocolError), .headers(1, Frame.fields(changes)))
        }
        + [(":method", "POST"), (":scheme", "http"), (":path", "/test.T/Echo")].map { field in
            ConformanceRow(
                "8.3.1 \(field.0) twice", .streamError(.protocolError),
                .headers(1, [field] + Frame.call))
        }

    /// RFC 7541: field blocks that cannot be decoded.
    static let compressionErrors: [ConformanceRow] =
        [
            ("2.3.3 an index outside of the tables", [0xff, 0x25]),
            ("2.3.3 a name's index outside of the tables", [0x7f, 0x25, 1, 0x61]),
            ("4.2 a table size update at the end of the block", [0x20]),
            ("5.2 Huffman padding longer than 7 bits", [0, 1, 0x78, 0x84, 0x49, 0x50, 0x9f, 0xff]),
            ("5.2 Huffman padding of zeros", [0, 1, 0x78, 0x83, 0x49, 0x50, 0x90]),
            ("5.2 Huffman code of EOS", [0, 1, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff]),
            ("6.1 index 0", [0x80]),
            ("5.1 an integer without end", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ].map {
            ConformanceRow(
                "RFC 7541 \($0.0)", .connectionError(.compressionError), .headers(1, suffix: $0.1))
        } + [
            ConformanceRow(
                "RFC 7541 6.3 a table size update above SETTINGS_HEADER_TABLE_SIZE",
                .connectionError(.compressionError), .headers(1, prefix: [0x3f, 0xe2, 0x1f]))
        ]
}
