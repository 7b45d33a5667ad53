/// One event of a connection.
public enum WebSocketEvent: Sendable, Hashable {
    /// A whole text message, valid UTF-8.
    case text([UInt8])
    /// A whole binary message.
    case binary([UInt8])
    /// Answer with a pong of the same payload.
    case ping([UInt8])
    case pong([UInt8])
    /// The peer closes; answer with the same code once, then end the connection. `code` is nil when
    /// the frame is empty. Nothing comes after it.
    case close(code: WebSocketCloseCode?, reason: String)
}

/// Reads frames and puts messages together, without I/O (RFC 6455 §5, §7, §8.1). Any violation
/// throws once the first byte that proves it is there, also inside an unfinished frame.
///
/// An idle parser keeps no memory beside itself.
public struct WebSocketFrameParser: Sendable {
    /// Which end of the connection we are.
    public enum Role: Sendable { case server, client }

    private struct Frame {
        let opcode: WebSocketOpcode
        let isFinal: Bool
        let mask: WebSocketMask?
        let length: Int
        var received = 0
    }

    public let role: Role
    /// Most payload bytes of one message, all fragments together; more throws 1009.
    public var maxMessageBytes: Int
    private var input: [UInt8] = []
    private var consumed = 0
    private var frame: Frame?
    /// Text or binary, while a message has begun and is not complete.
    private var messageOpcode: WebSocketOpcode?
    private var message: [UInt8] = []
    private var control: [UInt8] = []
    private var text = UTF8Validator()
    private var failure: WebSocketError?
    private var isClosed = false

    public init(role: Role, maxMessageBytes: Int = 4096) {
        self.role = role
        self.maxMessageBytes = maxMessageBytes
    }

    /// Appends bytes of the peer; they are copied. After a close frame they are dropped.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        guard !isClosed, failure == nil else { return }
        if consumed > 0 {
            input.removeSubrange(..<consumed)
            consumed = 0
        }
        input.append(contentsOf: bytes)
    }

    /// The next event; nil when more bytes are needed. Throws the error to close with, and the same
    /// one again when asked again.
    public mutating func next() throws(WebSocketError) -> WebSocketEvent? {
        if let failure { throw failure }
        do throws(WebSocketError) {
            while !isClosed {
                if frame == nil {
                    guard let header = try readHeader() else { break }
                    frame = header
                }
                guard try readPayload() else { break }
                if let event = try endFrame() { return event }
            }
        } catch {
            failure = error
            release()
            throw error
        }
        if consumed == input.count || isClosed { release() }
        return nil
    }

    private mutating func release() {
        input = []
        consumed = 0
    }

    /// Reads 2 to 14 bytes. The first two are judged before the rest is there.
    private mutating func readHeader() throws(WebSocketError) -> Frame? {
        let available = input.count - consumed
        guard available >= 1 else { return nil }
        let first = input[consumed]
        guard first & 0x70 == 0 else { throw Self.violation("a reserved bit is set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else {
            throw Self.violation("the opcode is reserved")
        }
        let isFinal = first & 0x80 != 0
        try checkOrder(opcode, isFinal: isFinal)
        guard available >= 2 else { return nil }
        let second = input[consumed + 1]
        let isMasked = second & 0x80 != 0
        guard isMasked == (role == .server) else {
            throw Self.violation(
                isMasked ? "a server frame is masked" : "a client frame is not masked")
        }
        let short = Int(second & 0x7F)
        guard !opcode.isControl || short <= 125 else {
            throw Self.violation("a control frame is longer than 125 bytes")
        }
        let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
        guard available >= 2 + lengthBytes else { return nil }
        var length = UInt64(lengthBytes == 0 ? short : 0)
        for index in 0..<lengthBytes { length = length << 8 | UInt64(input[consumed + 2 + index]) }
        guard length >> 63 == 0 else { throw Self.violation("the length has its top bit set") }
        guard opcode.isControl || length <= UInt64(max(0, maxMessageBytes - message.count)) else {
            throw WebSocketError(.messageTooBig, "the message is larger than allowed")
        }
        let size = 2 + lengthBytes + (isMasked ? 4 : 0)
        guard available >= size else { return nil }
        let mask: WebSocketMask? =
            isMasked
            ? WebSocketMask(
                key: input.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: consumed + size - 4, as: UInt32.self)
                }) : nil
        consumed += size
        return Frame(opcode: opcode, isFinal: isFinal, mask: mask, length: Int(length))
    }

    private func checkOrder(_ opcode: WebSocketOpcode, isFinal: Bool) throws(WebSocketError) {
        if opcode.isControl {
            guard isFinal else { throw Self.violation("a control frame is fragmented") }
        } else if opcode == .continuation {
            guard messageOpcode != nil else {
                throw Self.violation("a continuation frame has nothing to continue")
            }
        } else {
            guard messageOpcode == nil else {
                throw Self.violation("a new message begins inside an unfinished one")
            }
        }
    }

    /// Moves what is there of the payload into its message; false when more bytes are needed.
    private mutating func readPayload() throws(WebSocketError) -> Bool {
        guard var frame else { return false }
        let count = min(frame.length - frame.received, input.count - consumed)
        let part = consumed..<(consumed + count)
        if let mask = frame.mask {
            input.withUnsafeMutableBytes { bytes in
                mask.apply(
                    to: UnsafeMutableRawBufferPointer(rebasing: bytes[part]),
                    position: frame.received)
            }
        }
        if frame.opcode.isControl {
            control.append(contentsOf: input[part])
        } else {
            if frame.opcode != .continuation { messageOpcode = frame.opcode }
            if messageOpcode == .text {
                let isValid = input.withUnsafeBufferPointer {
                    text.accept(UnsafeBufferPointer(rebasing: $0[part]))
                }
                guard isValid else { throw Self.notUTF8 }
            }
            message.append(contentsOf: input[part])
        }
        consumed += count
        frame.received += count
        self.frame = frame
        return frame.received == frame.length
    }

    private mutating func endFrame() throws(WebSocketError) -> WebSocketEvent? {
        guard let frame else { return nil }
        self.frame = nil
        if frame.opcode.isControl {
            let payload = control
            control = []
            switch frame.opcode {
            case .ping: return .ping(payload)
            case .pong: return .pong(payload)
            default: return try close(payload)
            }
        }
        guard frame.isFinal else { return nil }
        guard text.isComplete else { throw Self.notUTF8 }
        let event: WebSocketEvent = messageOpcode == .text ? .text(message) : .binary(message)
        message = []
        messageOpcode = nil
        return event
    }

    /// RFC 6455 §5.5.1: empty, or two bytes of code and a reason in UTF-8.
    private mutating func close(_ payload: [UInt8]) throws(WebSocketError) -> WebSocketEvent {
        guard !payload.isEmpty else {
            isClosed = true
            return .close(code: nil, reason: "")
        }
        guard payload.count >= 2 else { throw Self.violation("a close code has one byte only") }
        let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isValidOnWire else { throw Self.violation("the close code is not allowed") }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else {
            throw Self.notUTF8
        }
        isClosed = true
        return .close(code: code, reason: reason)
    }

    private static func violation(_ message: String) -> WebSocketError {
        WebSocketError(.protocolError, message)
    }

    private static var notUTF8: WebSocketError {
        WebSocketError(.invalidPayload, "the text is not UTF-8")
    }
}
