import Glibc

/// Where a PEM document comes from. Files are read again when they change
/// (``TLSServerContext/reloadIfChanged()``).
public enum TLSSource: Sendable, Hashable {
    case file(String)
    case pem([UInt8])

    /// Larger files are refused: no certificate bundle is near.
    static let maxBytes = 8 << 20

    var path: String? {
        if case .file(let path) = self { path } else { nil }
    }

    /// For messages.
    var name: String { path ?? "the PEM text" }

    /// Blocks while it reads the file.
    func contents() throws(TLSError) -> [UInt8] {
        let path: String
        switch self {
        case .pem(let bytes): return bytes
        case .file(let name): path = name
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TLSSource.failure(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 { throw TLSSource.failure(path) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            if bytes.count > TLSSource.maxBytes {
                throw .configuration("\(path) is larger than \(TLSSource.maxBytes) bytes")
            }
        }
    }

    private static func failure(_ path: String) -> TLSError {
        .configuration("cannot read \(path)", cause: String(cString: strerror(errno)))
    }
}

/// What tells one version of a file from the next, with who may read it (its change time moves with
/// `chmod`, and when the time of modification is set back); also through the symbolic links by which
/// Kubernetes swaps secrets.
struct FileStamp: Hashable {
    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let modified: Time
    private let changed: Time

    private struct Time: Hashable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) {
            (seconds, nanoseconds) = (Int(time.tv_sec), Int(time.tv_nsec))
        }
    }

    /// Nil when there is no such file.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        modified = Time(status.st_mtim)
        changed = Time(status.st_ctim)
    }

    static func all(_ sources: [TLSSource?]) -> [String: FileStamp?] {
        var stamps: [String: FileStamp?] = [:]
        for source in sources {
            if let path = source?.path { stamps[path] = .some(FileStamp(path: path)) }
        }
        return stamps
    }
}
