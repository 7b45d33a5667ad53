import Glibc

/// A file that is written anew, piece by piece.
final class OutputFile {
    private let descriptor: Int32
    private let path: String

    /// - Parameter isPrivate: only the user may read it: it may hold what calls carried.
    /// - Throws: `Failure` when it cannot be opened.
    init(path: String, isPrivate: Bool = false) throws(Failure) {
        self.path = path
        descriptor = open(
            path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, isPrivate ? 0o600 : 0o644)
        guard descriptor >= 0 else {
            throw Failure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Makes a folder, unless it is there.
    static func makeFolder(_ path: String) throws(Failure) {
        guard mkdir(path, 0o755) != 0, errno != EEXIST else { return }
        throw Failure("cannot make \(path): \(String(cString: strerror(errno)))")
    }

    deinit {
        close(descriptor)
    }

    /// - Throws: `Failure` when the disk is full, for example.
    func write(_ bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw Failure("cannot write \(path): \(String(cString: strerror(errno)))")
            }
        }
    }
}
