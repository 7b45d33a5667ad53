import Frames
import HTTP2

extension ConformanceRow {
    private static let maxFrame = 1 << 14

    /// RFC 9113 §3 to §5: what ends a connection or a stream.
    static let connectionAndStreams: [ConformanceRow] = [
        ConformanceRow(
            "4.2 DATA over SETTINGS_MAX_FRAME_SIZE", .connectionError(.frameSizeError),
            .headers(1, end: false), .data(1, [UInt8](repeating: 0, count: maxFrame + 1))),
        ConformanceRow(
            "4.2 HEADERS over SETTINGS_MAX_FRAME_SIZE", .connectionError(.frameSizeError),
            .headers(1, suffix: [UInt8](repeating: 0, count: maxFrame))),
        ConformanceRow(
            "4.3 an invalid field block", .connectionError(.compressionError),
            Frame(kind: .headers, flags: 5, stream: 1, payload: [0x40])),
        ConformanceRow(
            "4.3 PRIORITY inside a field block", .connectionError(.protocolError),
            .headers(1, endHeaders: false), .priority(1)),
        ConformanceRow(
            "4.3 HEADERS of another stream inside a field block",
            .connectionError(.protocolError), .headers(1, endHeaders: false), .headers(3)),
        ConformanceRow(
            "5.1 idle: DATA", .connectionError(.protocolError), .data(1, [1], end: true)),
        ConformanceRow("5.1 idle: RST_STREAM", .connectionError(.protocolError), .reset(1)),
        ConformanceRow(
            "5.1 idle: WINDOW_UPDATE", .connectionError(.protocolError), .windowUpdate(1, 100)),
        ConformanceRow(
            "5.1 idle: CONTINUATION", .connectionError(.protocolError),
            .continuation(1, end: true)),
        ConformanceRow(
            "5.1 half-closed (remote): DATA", .connectionError(.streamClosed), .headers(1),
            .data(1, [1], end: true)),
        ConformanceRow(
            "5.1 half-closed (remote): HEADERS", .connectionError(.streamClosed), .headers(1),
            .headers(1)),
        ConformanceRow(
            "5.1 half-closed (remote): CONTINUATION", .connectionError(.protocolError),
            .headers(1), .continuation(1, end: true)),
        // RFC 9113 §5.1 lets a receiver discard what follows the end of a stream; it must not
        // take it for a new stream.
        ConformanceRow(
            "5.1 reset: DATA", .ignored, before: [.headers(1, end: false), .reset(1)],
            .data(1, [1], end: true)),
        ConformanceRow(
            "5.1 reset: HEADERS", .ignored, before: [.headers(1, end: false), .reset(1)],
            .headers(1)),
        ConformanceRow(
            "5.1 reset: CONTINUATION", .connectionError(.protocolError),
            before: [.headers(1, end: false), .reset(1)], .continuation(1, end: true)),
        ConformanceRow(
            "5.1 closed: DATA", .ignored, before: [.headers(1)], .data(1, [1], end: true)),
        ConformanceRow("5.1 closed: HEADERS", .ignored, before: [.headers(1)], .headers(1)),
        ConformanceRow(
            "5.1 closed: CONTINUATION", .connectionError(.protocolError), before: [.headers(1)],
            .continuation(1, end: true)),
        ConformanceRow(
            "5.1.1 stream identifiers: even id", .connectionError(.protocolError), .headers(2)),
        // nghttp2 cannot tell a skipped stream from a closed one (its own server fails h2spec
        // here, too): such a request is never answered and harms nobody.
        ConformanceRow(
            "5.1.1 stream identifiers: smaller than previous", .ignored,
            before: [.headers(5)], .headers(3)),
        ConformanceRow(
            "5.3.1 HEADERS that depend on themselves", .connectionError(.protocolError),
            Frame(
                kind: .headers, flags: Frame.priority | Frame.endStream | Frame.endHeaders,
                stream: 1, payload: Frame.priorityFields(dependsOn: 1) + Frame.block(Frame.call))),
        // We send SETTINGS_NO_RFC7540_PRIORITIES: PRIORITY means nothing (RFC 9218 §2.1).
        ConformanceRow(
            "5.3.1 PRIORITY that depends on itself", .ignored, before: [.headers(1, end: false)],
            .priority(1, dependsOn: 1)),
        ConformanceRow(
            "5.4.1 GOAWAY, then the end of the connection", .connectionError(.frameSizeError),
            Frame(kind: .ping, payload: [UInt8](repeating: 1, count: 6))),
        ConformanceRow(
            "5.5 an unknown frame inside a field block", .connectionError(.protocolError),
            bytes: Frame.headers(1, endHeaders: false).bytes + Frame.unknown(1)),
    ]

    /// RFC 9113 §6: what is wrong with single frames.
    static let frameDefinitions: [ConformanceRow] = data + headers + control + flowControl

    private static let data: [ConformanceRow] = [
        ConformanceRow(
            "6.1 DATA of stream 0", .connectionError(.protocolError), .data(0, [1], end: true)),
        ConformanceRow(
            "6.1 DATA of a stream that is not open", .connectionError(.streamClosed), .headers(1),
            .data(1, [1], end: true)),
        ConformanceRow(
            "6.1 padding longer than the frame", .connectionError(.protocolError),
            .headers(1, end: false),
            Frame(kind: .data, flags: Frame.padded, stream: 1, payload: [6, 1, 2, 3, 4])),
    ]

    private static let headers: [ConformanceRow] = [
        ConformanceRow(
            "6.2 HEADERS without END_HEADERS, then PRIORITY", .connectionError(.protocolError),
            .headers(1, endHeaders: false), .priority(1)),
        ConformanceRow(
            "6.2 HEADERS of stream 0", .connectionError(.protocolError), .headers(0)),
        ConformanceRow(
            "6.2 padding longer than the frame", .connectionError(.protocolError),
            Frame(kind: .headers, flags: 13, stream: 1, payload: [200, 0x82])),
        ConformanceRow(
            "6.10 CONTINUATION, then DATA", .connectionError(.protocolError),
            .headers(1, end: false, endHeaders: false), .continuation(1, end: false),
            .data(1, [1], end: true)),
        ConformanceRow(
            "6.10 CONTINUATION of stream 0", .connectionError(.protocolError),
            .headers(1, endHeaders: false), .continuation(0, end: true)),
        ConformanceRow(
            "6.10 CONTINUATION after HEADERS with END_HEADERS", .connectionError(.protocolError),
            .headers(1, end: false), .continuation(1, end: true)),
        ConformanceRow(
            "6.10 CONTINUATION after CONTINUATION with END_HEADERS",
            .connectionError(.protocolError), .headers(1, end: false, endHeaders: false),
            .continuation(1, end: true), .continuation(1, end: true)),
        ConformanceRow(
            "6.10 CONTINUATION after DATA", .connectionError(.protocolError),
            .headers(1, end: false, endHeaders: false), .data(1, [1], end: true),
            .continuation(1, end: true)),
        ConformanceRow(
            "8.4 PUSH_PROMISE from a client", .connectionError(.protocolError),
            .headers(1, end: false),
            Frame(
                kind: .push, flags: Frame.endHeaders, stream: 1,
                payload: Frame.big(3) + Frame.block(Frame.call))),
    ]

    private static let control: [ConformanceRow] = [
        // As above.
        ConformanceRow("6.3 PRIORITY of stream 0", .ignored, .priority(0)),
        ConformanceRow(
            "6.3 PRIORITY of a length other than 5", .connectionError(.frameSizeError),
            .headers(1, end: false), Frame(kind: .priority, stream: 1, payload: [0, 0, 0, 0])),
        ConformanceRow("6.4 RST_STREAM of stream 0", .connectionError(.protocolError), .reset(0)),
        ConformanceRow(
            "6.4 RST_STREAM of a length other than 4", .connectionError(.frameSizeError),
            .headers(1, end: false), Frame(kind: .reset, stream: 1, payload: [0, 0, 0])),
        ConformanceRow(
            "6.5 SETTINGS with ACK and a payload", .connectionError(.frameSizeError),
            Frame(kind: .settings, flags: Frame.ack, payload: [0])),
        ConformanceRow(
            "6.5 SETTINGS of a stream", .connectionError(.protocolError),
            Frame(kind: .settings, stream: 1, payload: [0, 3, 0, 0, 0, 100])),
        ConformanceRow(
            "6.5 SETTINGS of a length that is no multiple of 6", .connectionError(.frameSizeError),
            Frame(kind: .settings, payload: [0, 3, 0])),
        ConformanceRow(
            "6.5.2 ENABLE_PUSH other than 0 and 1", .connectionError(.protocolError),
            .settings([(2, 2)])),
        ConformanceRow(
            "6.5.2 INITIAL_WINDOW_SIZE above 2^31-1", .connectionError(.flowControlError),
            .settings([(4, 1 << 31)])),
        ConformanceRow(
            "6.5.2 MAX_FRAME_SIZE below 2^14", .connectionError(.protocolError),
            .settings([(5, 16_383)])),
        ConformanceRow(
            "6.5.2 MAX_FRAME_SIZE above 2^24-1", .connectionError(.protocolError),
            .settings([(5, 1 << 24)])),
        ConformanceRow(
            "6.7 PING of a stream", .connectionError(.protocolError),
            Frame(kind: .ping, stream: 1, payload: [UInt8](repeating: 0, count: 8))),
        ConformanceRow(
            "6.7 PING of a length other than 8", .connectionError(.frameSizeError),
            Frame(kind: .ping, payload: [UInt8](repeating: 0, count: 6))),
        ConformanceRow(
            "6.8 GOAWAY of a stream", .connectionError(.protocolError), .goaway(0, stream: 1)),
    ]

    private static let flowControl: [ConformanceRow] = [
        ConformanceRow(
            "6.9 WINDOW_UPDATE of 0", .connectionError(.protocolError), .windowUpdate(0, 0)),
        ConformanceRow(
            "6.9 WINDOW_UPDATE of 0 on a stream", .connectionError(.protocolError),
            .headers(1, end: false), .windowUpdate(1, 0)),
        ConformanceRow(
            "6.9 WINDOW_UPDATE of a length other than 4", .connectionError(.frameSizeError),
            Frame(kind: .windowUpdate, payload: [0, 0, 1])),
        ConformanceRow(
            "6.9.1 a connection window above 2^31-1", .connectionError(.flowControlError),
            .windowUpdate(0, .max >> 1), .windowUpdate(0, .max >> 1)),
        ConformanceRow(
            "6.9.1 a stream window above 2^31-1", .streamError(.flowControlError),
            .headers(1, end: false), .windowUpdate(1, .max >> 1), .windowUpdate(1, .max >> 1)),
        // A connection error by the letter; nghttp2 resets the streams whose windows burst.
        ConformanceRow(
            "6.9.2 a setting that lifts a stream window above 2^31-1",
            .streamError(.flowControlError), .headers(1, end: false),
            .windowUpdate(1, .max >> 1 - 65_535), .settings([(4, 70_000)])),
    ]
}
