import Glibc

/// Where text goes. Every write leaves at once, so that a stream is seen live.
struct Output: Sendable {
    enum Stream: Sendable { case standard, error }

    /// A person looks at the result while it is made.
    let isTerminal: Bool
    private let sink: @Sendable (Stream, [UInt8]) throws -> Void

    init(
        isTerminal: Bool = false, _ sink: @escaping @Sendable (Stream, [UInt8]) throws -> Void
    ) {
        self.isTerminal = isTerminal
        self.sink = sink
    }

    /// Standard output and standard error of the process.
    static let process = Output(isTerminal: isatty(STDOUT_FILENO) == 1) { stream, bytes in
        try writeAll(bytes, to: stream == .standard ? STDOUT_FILENO : STDERR_FILENO)
    }

    /// A line of the result.
    /// - Throws: `Failure` when nobody reads it any more.
    func line(_ text: [UInt8]) throws { try sink(.standard, text + [0x0A]) }
    func line(_ text: String) throws { try line(Array(text.utf8)) }

    /// A line for the person at the keyboard.
    func note(_ text: String) throws { try sink(.error, Array(text.utf8) + [0x0A]) }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&room, 1, -1)
            } else if errno != EINTR {
                // The reader of a pipe has seen enough (`rpcurl … | head`): no reason to complain.
                throw Failure("", exitCode: 141)
            }
        }
    }
}
