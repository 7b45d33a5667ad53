import Frames
import HTTP2
import Testing

/// What a peer says, and what the server has to make of it.
struct ConformanceRow: Sendable, CustomTestStringConvertible {
    enum Expectation: Sendable {
        /// GOAWAY with this code, then the end.
        case connectionError(HTTP2Code)
        /// RST_STREAM of stream 1 with this code; the connection lives on.
        case streamError(HTTP2Code)
        /// The connection lives on, and no stream was reset for an error.
        case goesOn
        /// Stream 1 is answered in full, the connection lives on.
        case answered
        /// Discarded: nothing but the connection going on.
        case ignored
    }

    let name: String
    /// Sent, and dealt with, before `bytes`.
    let before: [UInt8]
    let bytes: [UInt8]
    let expected: Expectation

    var testDescription: String { name }

    init(
        _ name: String, _ expected: Expectation, before: [Frame] = [], _ frames: Frame...
    ) {
        self.init(name, expected, before: before, bytes: frames.flatMap(\.bytes))
    }

    init(_ name: String, _ expected: Expectation, before: [Frame] = [], bytes: [UInt8]) {
        self.name = name
        self.before = before.flatMap(\.bytes)
        self.bytes = bytes
        self.expected = expected
    }

    func check(_ reaction: FramePeer.Reaction) {
        let frames = reaction.frames
        let goaway = frames.first { $0.kind == .goaway }.map {
            HTTP2Code(rawValue: $0.secondNumber)
        }
        let resets = frames.filter { $0.kind == .reset }
        let text = "\(frames.map { "\($0.kind) \($0.stream) \($0.flags) \($0.payload.prefix(8))" })"
        let isAnswered = frames.contains {
            $0.stream == 1 && $0.flags & Frame.endStream != 0 && ($0.kind == .headers)
        }
        if case .connectionError(let code) = expected {
            #expect(goaway == code, "\(text)")
            #expect(!reaction.isOpen)
            return
        }
        #expect(reaction.isOpen && goaway == nil, "\(text)")
        switch expected {
        case .connectionError: break
        case .streamError(let code):
            let reset = resets.first { $0.stream == 1 }.map { HTTP2Code(rawValue: $0.number) }
            #expect(reset == code, "\(text)")
        case .goesOn:
            #expect(!resets.contains { $0.number != 0 }, "\(text)")
        case .answered:
            #expect(isAnswered && !resets.contains { $0.number != 0 }, "\(text)")
        case .ignored:
            #expect(frames.isEmpty, "\(text)")
        }
    }
}

extension HTTP2Code {
    static let frameSizeError = HTTP2Code(rawValue: 6)
    static let compressionError = HTTP2Code(rawValue: 9)
}
