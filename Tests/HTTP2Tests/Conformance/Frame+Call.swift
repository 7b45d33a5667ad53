import Frames

/// Frames of a gRPC call, and of what is wrong with one.
extension Frame {
    static let padded: UInt8 = 8
    static let priority: UInt8 = 0x20
    /// One message of one byte, in gRPC's framing.
    static let message: [UInt8] = [0, 0, 0, 0, 1, 7]

    static let call: [(String, String)] = [
        (":method", "POST"), (":scheme", "http"), (":path", "/test.T/Echo"), (":authority", "x"),
        ("content-type", "application/grpc"), ("te", "trailers"),
    ]

    static func headers(
        _ stream: UInt32, end: Bool = true, endHeaders: Bool = true,
        _ fields: [(String, String)] = Frame.call, prefix: [UInt8] = [], suffix: [UInt8] = []
    ) -> Frame {
        Frame(
            kind: .headers, flags: (end ? endStream : 0) | (endHeaders ? Frame.endHeaders : 0),
            stream: stream, payload: prefix + block(fields) + suffix)
    }

    /// The usual fields, with these instead of the same names or after them; nil leaves one out.
    static func fields(_ changes: [(String, String?)]) -> [(String, String)] {
        var fields = call
        for (name, value) in changes {
            fields.removeAll { $0.0 == name }
            guard let value else { continue }
            if name.hasPrefix(":") {
                fields.insert((name, value), at: 0)
            } else {
                fields.append((name, value))
            }
        }
        return fields
    }

    static func continuation(
        _ stream: UInt32, end: Bool, _ fields: [(String, String)] = [("x-a", "b")]
    ) -> Frame {
        Frame(
            kind: .continuation, flags: end ? endHeaders : 0, stream: stream,
            payload: block(fields))
    }

    static func priorityFields(
        dependsOn stream: UInt32 = 0, weight: UInt8 = 15, exclusive: Bool = false
    ) -> [UInt8] {
        big(stream | (exclusive ? 1 << 31 : 0)) + [weight]
    }

    static func priority(
        _ stream: UInt32, dependsOn other: UInt32 = 0, weight: UInt8 = 15, exclusive: Bool = false
    ) -> Frame {
        Frame(
            kind: .priority, stream: stream,
            payload: priorityFields(dependsOn: other, weight: weight, exclusive: exclusive))
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> Frame {
        Frame(kind: .reset, stream: stream, payload: big(code))
    }

    static func goaway(_ code: UInt32, stream: UInt32 = 0) -> Frame {
        Frame(kind: .goaway, stream: stream, payload: big(0) + big(code))
    }

    /// A kind that no specification knows.
    static func unknown(_ stream: UInt32) -> [UInt8] {
        [0, 0, 4, 0x16, 0] + big(stream) + [1, 2, 3, 4]
    }
}
