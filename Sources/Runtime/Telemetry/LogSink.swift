import Glibc

/// Where finished log lines go. Called on any thread, for each line once.
public struct LogSink: Sendable {
    let write: @Sendable (_ line: [UInt8]) -> Void

    /// `write` receives the whole line with its line feed and must not suspend or fail.
    public init(_ write: @escaping @Sendable (_ line: [UInt8]) -> Void) {
        self.write = write
    }

    public static let standardError = LogSink.descriptor(STDERR_FILENO)

    /// Throws every line away.
    public static let discarding = LogSink { _ in }

    /// One write(2) for a line, so that lines of several threads and processes do not mix.
    ///
    /// A log that cannot be written (closed, full) is dropped: logging never stops the work. The
    /// descriptor stays the caller's.
    public static func descriptor(_ descriptor: Int32) -> LogSink {
        LogSink { line in
            line.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let slice = UnsafeRawBufferPointer(rebasing: rest)
                    let written = Glibc.write(descriptor, slice.baseAddress, slice.count)
                    if written > 0 {
                        rest = rest.dropFirst(written)
                    } else if errno != EINTR {
                        return
                    }
                }
            }
        }
    }
}
