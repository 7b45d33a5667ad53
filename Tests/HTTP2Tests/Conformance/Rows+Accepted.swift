import Frames
import HTTP2

extension ConformanceRow {
    /// What every server must take: h2spec's generic cases, and those of its http2 part that go on.
    static let accepted: [ConformanceRow] =
        states + frames + blocks + [
            ConformanceRow(
                "4.1 a frame of an unknown kind", .goesOn, bytes: Frame.unknown(0)),
            ConformanceRow(
                "4.1 an undefined flag", .goesOn,
                Frame(kind: .ping, flags: 0x16, payload: [UInt8](repeating: 200, count: 8))),
            ConformanceRow(
                "4.1 the reserved bit of the stream identifier", .goesOn,
                Frame(kind: .ping, stream: 1 << 31, payload: [UInt8](repeating: 201, count: 8))),
            ConformanceRow(
                "4.2 DATA of 2^14 octets", .answered, .headers(1, end: false),
                .data(1, [0, 0, 0, 0x3f, 0xfb] + [UInt8](repeating: 1, count: 0x3ffb), end: true)),
            ConformanceRow(
                "5.5 a frame of an unknown kind on an idle stream", .goesOn,
                bytes: Frame.unknown(1)),
            ConformanceRow(
                "6.5.2 an unknown setting", .answered, .settings([(0xff, 1)]), .headers(1)),
            ConformanceRow(
                "6.7 PING with ACK that nobody asked for", .goesOn,
                Frame(kind: .ping, flags: Frame.ack, payload: [UInt8](repeating: 202, count: 8))),
            ConformanceRow(
                "7 RST_STREAM with an unknown code", .goesOn, .headers(1, end: false),
                .reset(1, 0xff)),
            ConformanceRow(
                "8.1 trailers of the request", .answered, .headers(1, end: false),
                .data(1, Frame.message), .headers(1, [("x-trailer", "1")])),
        ]

    private static let states: [ConformanceRow] = [
        ConformanceRow("5.1 idle: PRIORITY", .goesOn, .priority(1)),
        ConformanceRow(
            "5.1 half-closed (remote): WINDOW_UPDATE", .answered, .headers(1),
            .windowUpdate(1, 100)),
        ConformanceRow("5.1 half-closed (remote): PRIORITY", .answered, .headers(1), .priority(1)),
        ConformanceRow("5.1 half-closed (remote): RST_STREAM", .goesOn, .headers(1), .reset(1)),
        ConformanceRow("5.1 closed: PRIORITY", .ignored, before: [.headers(1)], .priority(1)),
        ConformanceRow(
            "5.1 closed: WINDOW_UPDATE", .ignored, before: [.headers(1)], .windowUpdate(1, 9)),
        ConformanceRow("5.1 closed: RST_STREAM", .ignored, before: [.headers(1)], .reset(1)),
    ]

    private static let frames: [ConformanceRow] = [
        ConformanceRow(
            "6.1 DATA", .answered, .headers(1, end: false), .data(1, Frame.message, end: true)),
        ConformanceRow(
            "6.1 several DATA", .answered, .headers(1, end: false), .data(1, [0, 0]),
            .data(1, [0, 0, 1]), .data(1, [7], end: true)),
        ConformanceRow(
            "6.1 DATA with padding", .answered, .headers(1, end: false),
            Frame(
                kind: .data, flags: Frame.padded | Frame.endStream, stream: 1,
                payload: [5] + Frame.message + [0, 0, 0, 0, 0])),
        ConformanceRow("6.2 HEADERS", .answered, .headers(1)),
        ConformanceRow(
            "6.2 HEADERS with padding", .answered,
            Frame(
                kind: .headers, flags: Frame.padded | Frame.endStream | Frame.endHeaders, stream: 1,
                payload: [3] + Frame.block(Frame.call) + [0, 0, 0])),
        ConformanceRow(
            "6.2 HEADERS with priority", .answered,
            Frame(
                kind: .headers, flags: Frame.priority | Frame.endStream | Frame.endHeaders,
                stream: 1, payload: Frame.priorityFields() + Frame.block(Frame.call))),
        ConformanceRow("6.3 PRIORITY of weight 1", .answered, .priority(1, weight: 0), .headers(1)),
        ConformanceRow(
            "6.3 PRIORITY of weight 256", .answered, .priority(1, weight: 255), .headers(1)),
        ConformanceRow(
            "6.3 PRIORITY with a dependency", .answered, .priority(1, dependsOn: 3), .headers(1)),
        ConformanceRow(
            "6.3 PRIORITY, exclusive", .answered, .priority(1, dependsOn: 3, exclusive: true),
            .headers(1)),
        ConformanceRow(
            "6.3 PRIORITY of an idle stream, then HEADERS of a lower one", .answered, .priority(5),
            .headers(1)),
        ConformanceRow("6.4 RST_STREAM", .goesOn, .headers(1, end: false), .reset(1)),
        ConformanceRow("6.9 WINDOW_UPDATE of the connection", .goesOn, .windowUpdate(0, 1)),
        ConformanceRow(
            "6.9 WINDOW_UPDATE of a stream", .goesOn, .headers(1, end: false), .windowUpdate(1, 1)),
        ConformanceRow(
            "6.10 CONTINUATION", .answered, .headers(1, endHeaders: false),
            .continuation(1, end: true)),
        ConformanceRow(
            "6.10 several CONTINUATION", .answered, .headers(1, endHeaders: false),
            .continuation(1, end: false), .continuation(1, end: false),
            .continuation(1, end: true)),
        ConformanceRow("8.1 GET", .answered, .headers(1, Frame.fields([(":method", "GET")]))),
        ConformanceRow("8.1 HEAD", .answered, .headers(1, Frame.fields([(":method", "HEAD")]))),
    ]

    /// RFC 7541; `x` in Huffman code is f3, `test` 49 50 9f, `user-agent` the static name 58.
    private static let blocks: [ConformanceRow] =
        [
            ("6.1 indexed field of the static table", [0x90]),
            ("6.2.1 incremental indexing, indexed name", [0x7a, 4] + Array("test".utf8)),
            ("6.2.1 incremental indexing, indexed name, Huffman", [0x7a, 0x83, 0x49, 0x50, 0x9f]),
            ("6.2.1 incremental indexing, new name", [0x40, 1, 0x78, 4] + Array("test".utf8)),
            (
                "6.2.1 incremental indexing, new name, Huffman, then indexed",
                [0x40, 0x81, 0xf3, 0x83, 0x49, 0x50, 0x9f, 0xbe]
            ),
            ("6.2.2 without indexing, indexed name", [0x0f, 0x2b, 4] + Array("test".utf8)),
            (
                "6.2.2 without indexing, indexed name, Huffman",
                [0x0f, 0x2b, 0x83, 0x49, 0x50, 0x9f]
            ),
            ("6.2.2 without indexing, new name", [0, 1, 0x78, 4] + Array("test".utf8)),
            ("6.2.2 without indexing, new name, Huffman", [0, 0x81, 0xf3, 0x83, 0x49, 0x50, 0x9f]),
            ("6.2.3 never indexed, indexed name", [0x1f, 0x2b, 4] + Array("test".utf8)),
            ("6.2.3 never indexed, indexed name, Huffman", [0x1f, 0x2b, 0x83, 0x49, 0x50, 0x9f]),
            ("6.2.3 never indexed, new name", [0x10, 1, 0x78, 4] + Array("test".utf8)),
            ("6.2.3 never indexed, new name, Huffman", [0x10, 0x81, 0xf3, 0x83, 0x49, 0x50, 0x9f]),
        ].map { ConformanceRow("RFC 7541 \($0.0)", .answered, .headers(1, suffix: $0.1)) } + [
            ConformanceRow(
                "RFC 7541 6.3 dynamic table size update", .answered, .headers(1, prefix: [0x20])),
            ConformanceRow(
                "RFC 7541 4.2 two dynamic table size updates", .answered,
                .headers(1, prefix: [0x20, 0x3f, 0xe1, 0x1f])),
        ]
}
