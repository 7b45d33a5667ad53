import Glibc
import Loop

/// A file, pipe or terminal that is read without blocking the loop.
///
/// It waits with poll(2) on libuv's thread pool, beside a pipe that cancelling writes to: the
/// descriptor itself stays as it is, since a terminal's flags are shared with the shell.
final class InputFile: Sendable {
    private let descriptor: Int32
    private let owned: Bool
    private let wake: (read: Int32, write: Int32)

    /// Reads a descriptor that belongs to somebody else.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        owned = false
        wake = InputFile.makePipe()
    }

    init(path: String) throws(Failure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        owned = true
        wake = InputFile.makePipe()
    }

    deinit {
        if owned { close(descriptor) }
        close(wake.read)
        close(wake.write)
    }

    /// The next bytes; empty at the end.
    /// - Throws: `CancellationError`, or `Failure` when reading fails.
    func read(on loop: EventLoop) async throws -> [UInt8] {
        try await withTaskCancellationHandler {
            try await loop.blocking { try self.readBlocking() }
        } onCancel: {
            _ = write(wake.write, [0], 1)
        }
    }

    private func readBlocking() throws -> [UInt8] {
        var ready = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&ready, 2, -1) < 0, errno == EINTR {}
        if ready[1].revents != 0 { throw CancellationError() }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count >= 0 { return Array(buffer[..<count]) }
            if errno != EINTR {
                throw Failure("cannot read the request: \(String(cString: strerror(errno)))")
            }
        }
    }

    private static func makePipe() -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let code = pipe(&ends)
        precondition(code == 0, "pipe: errno \(errno)")
        return (ends[0], ends[1])
    }

    /// A whole file at once.
    static func contents(of path: String, on loop: EventLoop) async throws -> [UInt8] {
        let file = try InputFile(path: path)
        var bytes: [UInt8] = []
        while case let more = try await file.read(on: loop), !more.isEmpty { bytes += more }
        return bytes
    }
}
