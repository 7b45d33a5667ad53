import Glibc

/// A file of our own that nobody else can read.
struct TemporaryFile {
    let path: String
    let descriptor: Int32

    /// - Throws: `Failure` when the system gives none.
    init() throws(Failure) {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(folder)/rpcurl-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw Failure(
                "cannot make a file in \(folder): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        path = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    func remove() {
        close(descriptor)
        unlink(path)
    }
}
